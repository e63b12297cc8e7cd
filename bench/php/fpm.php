<?php
// The same calls inside a request of PHP-FPM: ?call=push&user=7. Answers how long the call took, in nanoseconds.
declare(strict_types=1);

$begin = hrtime(true);
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';
$call = $_GET['call'];
if (!in_array($call, ['push', 'store', 'count_unread', 'fetch'], true)) {
    http_response_code(404);
    exit;
}
$content = str_pad('fpm ', 128, 'message ');
// Loading the peer's own code is part of what a request pays; the calls below connect when they have to.
$call((int) $_GET['user'], $content);
echo hrtime(true) - $begin;
