<?php

// The tests of php/testing need no server, and no extension: ./dev test testing

declare(strict_types=1);

if (extension_loaded('chatpush')) {
    fwrite(STDERR, "These tests need a PHP without the extension: ./dev test testing\n");
    exit(1);
}
require __DIR__ . '/../../../php/testing/chatpush.php';
require __DIR__ . '/ChatPushTestCase.php';
require __DIR__ . '/Setting.php';
require __DIR__ . '/Installation.php';
require __DIR__ . '/InstallationInMemory.php';
require __DIR__ . '/PromisesTestCase.php';
require __DIR__ . '/DueTestCase.php';
// Some of their cases are run here too.
require __DIR__ . '/../daemon/FetchedRowsTest.php';
require __DIR__ . '/../extension/ArgumentsTest.php';
