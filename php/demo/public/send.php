<?php

/** Sends a message: into the history, and by chatpush to the receivers, now or when they connect. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$sender_id = require_user();
require_own_post();
$conversation = require_conversation($sender_id, $_POST);
$text = trim(text($_POST, 'text'));
$id = text($_POST, 'id');
if ($text === '' || preg_match('//u', $text) !== 1 || strlen($text) > 8000) {
    refuse(422, 'A message has 1 to 8,000 bytes.');
}
if (preg_match('/^[a-z0-9]{16,32}$/D', $id) !== 1) {
    refuse(422, 'The page is too old. Please reload it.');
}

// 1. The history. The page repeats a request that had no answer: the same id gives the same row.
$message = keep_message($sender_id, $conversation, $id, $text);
if (isset($message['deleted'])) {
    answer($message + ['state' => 'stored']);
}
$same_receiver = $conversation['group'] === null
    ? ($message['to'] ?? null) === $conversation['receivers'][0]
    : ($message['group'] ?? null) === $conversation['group'];
if (!$same_receiver || $message['text'] !== $text) {
    refuse(422, 'Another message has this id already.');
}

// 2. The receivers. For chatpush, too, the same id is the same message. With `carbons`, the sender's other
// devices get it as well.
$state = null;
try {
    $state = hand_over($sender_id, $conversation, $message);
    if (isset(find_message($sender_id, $id)['deleted'])) {
        // It was deleted on another device meanwhile.
        take_back($sender_id, $conversation, $id);
    }
} catch (ChatPush\TimeoutException $timeout) {
    error_log($timeout->getMessage());
    refuse(504, 'This takes unusually long.');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
}
if ($state === null) {
    // It is in the history, where the receivers' pages find it. The sender's page tries again.
    refuse(503, 'The message is not delivered yet.');
}
mark_handed_over($message['row']);
answer($message + ['state' => $state]);
