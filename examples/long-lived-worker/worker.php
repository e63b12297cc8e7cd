#!/usr/bin/env php
<?php

/**
 * Runs the worker until SIGTERM or SIGINT.
 *
 * Usage: worker.php ADDRESS, for example unix:///run/chat/worker.sock
 */

declare(strict_types=1);

require __DIR__ . '/Worker.php';

if ($argc !== 2) {
    fwrite(STDERR, "usage: worker.php ADDRESS\n");
    exit(64);
}
$worker = new Example\Worker($argv[1]);
pcntl_async_signals(true);
foreach ([SIGTERM, SIGINT] as $signal) {
    pcntl_signal($signal, fn () => $worker->stop());
}
echo "listening on $argv[1]\n";
$worker->run();
