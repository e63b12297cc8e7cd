<?php

// Closed loop: makes each call as soon as the one before has returned, and measures it.
//
// Arguments: function of the peer's script (push, store, count_unread, fetch, …), number of the caller, first
// user, number of users, maximum of calls (0: no limit), maximum of milliseconds (0: no limit), length of a
// content in bytes, number of warm-up calls.
declare(strict_types=1);

require __DIR__ . '/clock.php';
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';
require __DIR__ . '/many.php';

$call = $argv[1];
[$caller, $first, $users, $calls, $milliseconds, $size, $warmup] = array_map('intval', array_slice($argv, 2));
$calls = $calls ?: PHP_INT_MAX;
$milliseconds = $milliseconds ?: 3_600_000;
for ($i = 0; $i < $warmup; $i++) {
    // Without a header, so that no receiver counts it.
    $call($first + $i % $users, str_pad('warm ', $size, 'message '));
}

$samples = [];
$refused = 0;
$begin = begin();
$end = $begin + $milliseconds * 1_000_000;
for ($i = 0, $called = hrtime(true); $i < $calls && $called < $end; $i++) {
    $user = $first + $i % $users;
    $content = message_content($caller, $user, intdiv($i, $users), $called, $called, $size);
    $called = hrtime(true);
    if ($call($user, $content) === false) {
        $refused++;
    }
    $returned = hrtime(true);
    $samples[] = min($returned - $called, 0xFFFFFFFF);
    $called = $returned;
}
finish($i, $refused, $begin, $samples);
