<?php

// Open loop: message i is due at start + i × interval, however long the calls before take. Latency counts
// from the time when a message was due, so a slow call adds to the latency of the messages behind it.
//
// Arguments: number of the publisher, first user, number of users, number of messages, interval between two
// messages in nanoseconds, length of a content in bytes. STALL=i:ms pauses before message i, which tests that
// the latencies show a stall.
declare(strict_types=1);

require __DIR__ . '/clock.php';
require __DIR__ . '/peer/' . getenv('BENCH_PEER') . '.php';

[, $publisher, $first, $users, $messages, $interval, $size] = array_map('intval', $argv);
[$stall, $pause] = array_map('intval', explode(':', (getenv('STALL') ?: '-1:0')));
// Connect first, so that no message includes it.
push_warmup($first);

$samples = [];
$refused = 0;
$begin = begin();
for ($i = 0; $i < $messages; $i++) {
    if ($i === $stall) {
        usleep($pause * 1_000);
    }
    $intended = $begin + $i * $interval;
    wait_until($intended);
    $user = $first + $i % $users;
    $called = hrtime(true);
    if (!push($user, message_content($publisher, $user, intdiv($i, $users), $intended, $called, $size))) {
        $refused++;
    }
    $samples[] = min(hrtime(true) - $called, 0xFFFFFFFF);
}
finish($messages, $refused, $begin, $samples);
