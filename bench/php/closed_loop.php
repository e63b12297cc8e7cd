<?php
// Makes one call again and again, each as soon as the one before has returned, and measures each.
//
// Arguments: which call (push, store, count_unread, fetch and what else the peer has), number of the caller, first user, users, most calls (0: no
// limit), most milliseconds (0: no limit), bytes of a content, calls before the measured ones.
declare(strict_types=1);

require __DIR__ . '/clock.php';
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';

$call = $argv[1];
[$caller, $first, $users, $calls, $milliseconds, $size, $warm] = array_map('intval', array_slice($argv, 2));
$calls = $calls ?: PHP_INT_MAX;
$milliseconds = $milliseconds ?: 3_600_000;
for ($i = 0; $i < $warm; $i++) {
    // Stamped, and for nobody who listens.
    $call($first + $i % $users, str_pad('warm ', $size, 'message '));
}

$samples = [];
$refused = 0;
$begin = begin();
$end = $begin + $milliseconds * 1_000_000;
for ($i = 0, $called = hrtime(true); $i < $calls && $called < $end; $i++) {
    $user = $first + $i % $users;
    $content = stamped($caller, $user, intdiv($i, $users), $called, $called, $size);
    $called = hrtime(true);
    if ($call($user, $content) === false) {
        $refused++;
    }
    $returned = hrtime(true);
    $samples[] = min($returned - $called, 0xFFFFFFFF);
    $called = $returned;
}
finish($i, $refused, $begin, $samples);
