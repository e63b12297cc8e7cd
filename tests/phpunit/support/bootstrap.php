<?php

// The tests need a running stack: ./dev test extension daemon fpm
declare(strict_types=1);

if (!extension_loaded('chatpush') || getenv('CHATPUSH_TEST_REDIS_URL') === false) {
    fwrite(STDERR, "These tests need the extension and a running stack: ./dev test extension daemon fpm\n");
    exit(1);
}
require __DIR__ . '/PhpServer.php';
require __DIR__ . '/AnsweringServer.php';
require __DIR__ . '/CuttingProxy.php';
require __DIR__ . '/RedisConnection.php';
require __DIR__ . '/RedisServer.php';
require __DIR__ . '/Script.php';
require __DIR__ . '/Setting.php';
require __DIR__ . '/Stack.php';
require __DIR__ . '/WebSocket.php';
require __DIR__ . '/OtherDaemon.php';
require __DIR__ . '/ChatPushTestCase.php';
require __DIR__ . '/ExamplePages.php';
require __DIR__ . '/ExtensionFunctions.php';
require __DIR__ . '/Installation.php';
require __DIR__ . '/InstallationOfStack.php';
require __DIR__ . '/PromisesTestCase.php';
require __DIR__ . '/DueTestCase.php';
