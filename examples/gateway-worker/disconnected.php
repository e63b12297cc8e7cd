#!/usr/bin/env php
<?php

/**
 * Calls Events::onClose() for users who are gone. Run it every few seconds.
 *
 * Usage: disconnected.php < IDS. It reads the ids of those whom your tables have as online, one a line, and
 * prints the ids of those who are not. Update your tables with them.
 */

declare(strict_types=1);

use GatewayWorker\Lib\Gateway;

require __DIR__ . '/src/Gateway.php';
require __DIR__ . '/src/Events.php';

$ids = preg_split('/\s+/', stream_get_contents(STDIN), -1, PREG_SPLIT_NO_EMPTY);
// As chatpush has them: 7 is a number, and with text ids 007 is somebody else.
$believed = array_map(fn (string $id) => (string) (int) $id === $id ? (int) $id : $id, $ids);
foreach (array_chunk($believed, 10_000) as $users) {
    foreach (array_diff($users, ChatPush\getOnlineUsers($users)) as $gone) {
        Gateway::handle($gone, fn () => Events::onClose($gone));
        echo "$gone\n";
    }
}
