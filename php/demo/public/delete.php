<?php

/** Deletes a message of the user's own for everybody. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
$id = text($_POST, 'id');
$message = find_message($user_id, $id) ?? refuse(422, 'This message does not exist.');
$name = isset($message['group']) ? "group:$message[group]" : (string) $message['to'];
$conversation = require_conversation($user_id, ['conversation' => $name]);

// The queue first: a message that is gone from the history alone would still be delivered.
try {
    take_back($user_id, $conversation, $id);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'The message cannot be deleted now. Please try again.');
}
mark_deleted($message['row']);

// The user's other devices. One that misses it finds it in the history.
try {
    pushMessage($user_id, json(['from' => $user_id, 'id' => $id]), 'deleted');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
}
answer(find_message($user_id, $id));
