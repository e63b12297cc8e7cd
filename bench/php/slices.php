<?php

// A closed loop in slices of time: for each line with the time of a start, makes each call as soon as the one before
// has returned, and prints the calls, those that returned false, and the nanoseconds until the last one returned.
//
// Arguments: function of the peer's script, first user, number of users, the user to begin with, length of a content in
// bytes, milliseconds of a slice.
declare(strict_types=1);

require __DIR__ . '/clock.php';
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';

$call = $argv[1];
[$first, $users, $next, $size, $milliseconds] = array_map('intval', array_slice($argv, 2));
$content = str_pad('slice ', $size, 'message ');
echo "ready\n";
while (($line = fgets(STDIN)) !== false) {
    $begin = (int) $line;
    $end = $begin + $milliseconds * 1_000_000;
    wait_until($begin);
    $calls = $refused = 0;
    do {
        if ($call($first + $next++ % $users, $content) === false) {
            $refused++;
        }
        $calls++;
        $now = hrtime(true);
    } while ($now < $end);
    echo json_encode([$calls, $refused, $now - $begin]), "\n";
}
