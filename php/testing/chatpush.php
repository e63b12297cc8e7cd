<?php

/**
 * The functions of the extension in plain PHP, in memory: for an application's own tests on a machine without
 * the extension. ChatPush\Testing\Server sets up and shows what is in memory.
 *
 * It defines only what is not defined. With the extension it throws.
 */

declare(strict_types=1);

if (extension_loaded('chatpush')) {
    throw new LogicException('the extension chatpush is loaded; run these tests with a PHP that does not load it');
}
foreach (glob(__DIR__ . '/src/*.php') as $file) {
    require_once $file;
}
require_once __DIR__ . '/types.php';
require_once __DIR__ . '/functions.php';
require_once __DIR__ . '/global.php';
