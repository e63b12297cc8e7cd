<?php
// Time and stamps, as bench/src/message_header.rs reads them.
declare(strict_types=1);

// The kernel rounds sleeps up by this much, 50 µs if nobody says otherwise.
@file_put_contents('/proc/self/timerslack_ns', '1');

/** Returns as soon as the clock says $when: sleeps for most of it, and watches the clock at the end. */
function wait_until(int $when): void
{
    $left = $when - hrtime(true);
    if ($left > 150_000) {
        usleep(intdiv($left - 100_000, 1_000));
    }
    while (hrtime(true) < $when);
}

/** A content of $size bytes that tells the receiver who sent it, for whom, the how many-th, and when. */
function stamped(int $publisher, int $user, int $number, int $intended, int $called, int $size): string
{
    return str_pad(sprintf('~~%03d%08d%08d%018d%018d ', $publisher, $user, $number, $intended, $called), $size, 'message ');
}

/** Samples in nanoseconds for the line that ends a run: 32 bits each, in base64. */
function packed(array $samples): string
{
    $bytes = '';
    foreach (array_chunk($samples, 1_000) as $some) {
        $bytes .= pack('V*', ...$some);
    }
    return base64_encode($bytes);
}

/** Says ready, waits for the moment to begin, and returns it. */
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

/** Says how it went. */
function finish(int $calls, int $refused, int $began, array $samples): void
{
    echo json_encode([
        'calls' => $calls, 'refused' => $refused, 'began' => $began, 'ended' => hrtime(true), 'samples' => packed($samples),
    ]), "\n";
}
