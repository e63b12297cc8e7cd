<?php

/** Sends a message: into the history, and by chatpush to the receiver, now or when they connect. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$sender_id = require_user();
require_own_post();
$receiver_id = number($_POST, 'receiver_id');
$text = trim(text($_POST, 'text'));
$id = text($_POST, 'id');
if ($receiver_id === null || !is_user($receiver_id)) {
    refuse(422, 'This user does not exist.');
}
if ($text === '' || preg_match('//u', $text) !== 1 || strlen($text) > 8000) {
    refuse(422, 'A message has 1 to 8,000 bytes.');
}
if (preg_match('/^[a-z0-9]{16,32}$/D', $id) !== 1) {
    refuse(422, 'The page is too old. Please reload it.');
}

// 1. The history. The page repeats a request that had no answer: the same id gives the same row.
$message = keep_message($sender_id, $receiver_id, $id, $text);
if ([$message['to'], $message['text']] !== [$receiver_id, $text]) {
    refuse(422, 'Another message has this id already.');
}

// 2. The receiver. For chatpush, too, the same id is the same message.
$delivery = null;
try {
    $delivery = ChatPush\sendMessage($sender_id, $receiver_id, json($message), 'chat', $id);
} catch (ChatPush\TimeoutException $timeout) {
    error_log($timeout->getMessage());
    refuse(504, 'This takes unusually long.');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
}
if (!$delivery instanceof ChatPush\Delivery) {
    // It is in the history, where the receiver's page finds it. The sender's page tries again.
    refuse(503, 'The message is not delivered yet.');
}
mark_handed_over($message['row']);
$message['state'] = $delivery === ChatPush\Delivery::Live ? 'live' : 'stored';

// 3. The sender's other devices. One that misses it finds it in the history.
try {
    pushMessage($sender_id, json($message), 'chat');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
}
answer($message);
