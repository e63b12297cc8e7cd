<?php

// GatewayWorker: GatewayClient with persistent connections.
declare(strict_types=1);

require getenv('BENCH_GATEWAYWORKER') . '/vendor/autoload.php';

use GatewayClient\Gateway;

Gateway::$registerAddress = getenv('BENCH_REGISTER');
Gateway::$persistentConnection = true;

function push(int $user, string $content): bool
{
    // sendToUid does not report whether the user is connected.
    Gateway::sendToUid((string) $user, $content);
    return true;
}

function push_warmup(int $user): void
{
    Gateway::isUidOnline((string) $user);
}

function push_many(int $first, string $content): bool
{
    Gateway::sendToUid(array_map('strval', receivers($first)), $content);
    return true;
}
