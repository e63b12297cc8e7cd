<?php

/**
 * The functions of the extension in plain PHP, in memory: for an application's own tests on a machine without
 * the extension. ChatPush\Testing\Server sets up and shows what is in memory.
 *
 * It defines only what is not defined. With the extension it defines nothing.
 */

declare(strict_types=1);

if (!extension_loaded('chatpush')) {
    foreach (glob(__DIR__ . '/src/*.php') as $file) {
        require_once $file;
    }
    require_once __DIR__ . '/types.php';
    require_once __DIR__ . '/functions.php';
    require_once __DIR__ . '/global.php';
}
