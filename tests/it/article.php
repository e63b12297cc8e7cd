<?php
// The article's code as an application has it, unchanged but for where $is_online comes from.
// argv: what to do, then its arguments.

$pdo = new PDO('mysql:unix_socket=' . getenv('IT_MYSQL_SOCKET') . ';dbname=' . getenv('IT_MYSQL_DATABASE') . ';charset=utf8mb4', 'chatpush', 'pw');
$type = 'chat';

if ($argv[1] === 'send') {
    [, , $sender_id, $receiver_id, $content] = $argv;
    $is_online = ChatPush\isOnline($receiver_id);

    if ($is_online) {
        // The user is online: push the message.
        $done = pushMessage($receiver_id, $content, $type);
        echo $done ? 'pushed' : 'missed';
    } else {
        // The user is offline: store the message.
        $done = storeOfflineMessage($sender_id, $receiver_id, $content);
        echo $done ? 'stored' : 'failed';
    }
}

if ($argv[1] === 'signin') {
    $user_id = $argv[2];
    // The user comes online: push the offline messages.
    $offline_messages = getOfflineMessage($user_id);
    if (!empty($offline_messages)) {
        foreach ($offline_messages as $offline_message) {
            pushMessage($user_id, $offline_message['content'], $type);
        }
    }
    // The user comes online: push the unread counter.
    $unread_count = getUnreadCount($user_id);
    if ($unread_count > 0) {
        pushMessage($user_id, json_encode(['type' => 'unread_count', 'data' => $unread_count]), $type);
    }
    echo count($offline_messages), ' ', $unread_count;
}

if ($argv[1] === 'view') {
    // The user looks at the messages: nothing is unread any more.
    $pdo->prepare('UPDATE `user` SET `unread_count` = 0 WHERE `id` = :user_id')->execute(['user_id' => $argv[2]]);
    echo getUnreadCount($argv[2]);
}
