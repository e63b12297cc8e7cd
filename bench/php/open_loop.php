<?php
// Publishes by a timetable that does not wait for anybody: message i is due at begin + i / rate, and whoever is
// late stays late in the figures.
//
// Arguments: number of the publisher, first user, users, messages, nanoseconds between two, bytes of a content.
// STALL=i:ms pauses before message i, to see that the figures show it.
declare(strict_types=1);

require __DIR__ . '/clock.php';
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';

[, $publisher, $first, $users, $messages, $gap, $size] = array_map('intval', $argv);
[$stall, $pause] = array_map('intval', explode(':', (getenv('STALL') ?: '-1:0')));
// Connecting is part of no message.
push_warm($first);

$samples = [];
$refused = 0;
$begin = begin();
for ($i = 0; $i < $messages; $i++) {
    if ($i === $stall) {
        usleep($pause * 1_000);
    }
    $intended = $begin + $i * $gap;
    wait_until($intended);
    $user = $first + $i % $users;
    $called = hrtime(true);
    if (!push($user, stamped($publisher, $user, intdiv($i, $users), $intended, $called, $size))) {
        $refused++;
    }
    $samples[] = min(hrtime(true) - $called, 0xFFFFFFFF);
}
finish($messages, $refused, $begin, $samples);
