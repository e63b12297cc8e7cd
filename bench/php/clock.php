<?php

// The clock, message headers as bench/src/message_header.rs reads them, and the lines for
// bench/src/publisher.rs.
declare(strict_types=1);

// The kernel may prolong a sleep by this much, in nanoseconds; the default is 50 µs.
@file_put_contents('/proc/self/timerslack_ns', '1');

/** Returns at the time $when: sleeps until shortly before, then polls the clock. */
function wait_until(int $when): void
{
    $left = $when - hrtime(true);
    if ($left > 150_000) {
        usleep(intdiv($left - 100_000, 1_000));
    }
    while (hrtime(true) < $when);
}

/** A content of $size bytes that starts with a message header. */
function message_content(
    int $publisher,
    int $user,
    int $sequence,
    int $intended,
    int $called,
    int $size,
): string {
    $header = sprintf('~~%03d%08d%08d%018d%018d ', $publisher, $user, $sequence, $intended, $called);
    return str_pad($header, $size, 'message ');
}

/** Encodes samples in nanoseconds: 32 bits each, in base64. */
function pack_samples(array $samples): string
{
    $bytes = '';
    foreach (array_chunk($samples, 1_000) as $some) {
        $bytes .= pack('V*', ...$some);
    }
    return base64_encode($bytes);
}

/** Prints "ready", reads the time of the start, waits for it and returns it. */
function begin(): int
{
    echo "ready\n";
    $line = fgets(STDIN);
    if ($line === false) {
        exit(1);
    }
    wait_until((int) $line);
    return (int) $line;
}

/** Prints the results. */
function finish(int $calls, int $refused, int $began, array $samples): void
{
    echo json_encode([
        'calls' => $calls,
        'refused' => $refused,
        'began' => $began,
        'ended' => hrtime(true),
        'samples' => pack_samples($samples),
    ]), "\n";
}
