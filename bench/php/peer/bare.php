<?php

// PUBLISH without any extension, for the tests of the bench itself.
declare(strict_types=1);

function command(string ...$words): int
{
    static $connection = null;
    $connection ??= stream_socket_client('unix://' . getenv('BENCH_REDIS_SOCKET'));
    $bytes = '*' . count($words) . "\r\n";
    foreach ($words as $word) {
        $bytes .= '$' . strlen($word) . "\r\n$word\r\n";
    }
    fwrite($connection, $bytes);
    return (int) substr((string) fgets($connection), 1);
}

function push(int $user, string $content): bool
{
    return command('PUBLISH', "user:$user", $content) > 0;
}

function push_warmup(int $user): void
{
    command('PING');
}
