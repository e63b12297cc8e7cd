<?php

/**
 * The sign-in hook of the tutorial: the page calls it when its WebSocket has opened. It does no harm here, but
 * a chat with a history of its own needs no such page: the daemon sends the same by itself.
 */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
$type = 'chat';

try {
    $offline_messages = getOfflineMessage($user_id);
    foreach ($offline_messages as $offline_message) {
        pushMessage($user_id, $offline_message['content'], $type);
    }
    $unread_count = getUnreadCount($user_id);
    pushMessage($user_id, json(['type' => 'unread_count', 'data' => $unread_count]), $type);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'Waiting messages come later.');
}
answer(['messages' => count($offline_messages), 'unread' => $unread_count]);
