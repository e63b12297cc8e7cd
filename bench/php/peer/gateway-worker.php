<?php
// GatewayWorker: GatewayClient, which holds its connections in a process of the command line.
declare(strict_types=1);

require getenv('BENCH_GATEWAYWORKER') . '/vendor/autoload.php';

use GatewayClient\Gateway;

Gateway::$registerAddress = getenv('BENCH_REGISTER');
Gateway::$persistentConnection = true;

function push(int $user, string $content): bool
{
    // It says nothing of what came of it.
    Gateway::sendToUid((string) $user, $content);
    return true;
}

function push_warm(int $user): void
{
    Gateway::isUidOnline((string) $user);
}
