<?php

// Makes one call in a request to PHP-FPM: ?call=push&user=7. Answers with the time it took, in nanoseconds.
declare(strict_types=1);

$begin = hrtime(true);
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';
$call = $_GET['call'];
if (!in_array($call, ['push', 'store', 'count_unread', 'fetch'], true)) {
    http_response_code(404);
    exit;
}
$content = str_pad('fpm ', 128, 'message ');
// The time includes loading the peer's code above, which each request does. The call itself connects if it
// has to.
$call((int) $_GET['user'], $content);
echo hrtime(true) - $begin;
