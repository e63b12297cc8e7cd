<?php
// The sign-in hook: the page calls it when its WebSocket has opened. Without it the daemon sends the same.
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
    pushMessage($user_id, json_encode(['type' => 'unread_count', 'data' => $unread_count]), $type);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'Waiting messages come later.');
}
answer(['messages' => count($offline_messages), 'unread' => $unread_count]);
