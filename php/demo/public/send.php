<?php
// Sends a message: to the receiver's devices if there are any, else into the mailbox.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$sender_id = require_user();
require_own_post();
$receiver_id = filter_var($_POST['receiver_id'] ?? null, FILTER_VALIDATE_INT);
$text = is_string($_POST['text'] ?? null) ? trim($_POST['text']) : '';
if ($receiver_id === false || query('SELECT 1 FROM `user` WHERE `id` = ?', [$receiver_id]) === []) {
    refuse(422, 'There is nobody of that name.');
}
if ($text === '' || preg_match('//u', $text) !== 1 || strlen($text) > 8000) {
    refuse(422, 'A message has 1 to 8,000 bytes.');
}
$content = json_encode(['type' => 'chat', 'from' => $sender_id, 'text' => $text]);
$type = 'chat';

$how = null;
try {
    $is_online = ChatPush\isOnline($receiver_id);
    if ($is_online) {
        // The receiver is online: push. False says that they left in between, and the mailbox takes it.
        $how = pushMessage($receiver_id, $content, $type) ? 'pushed' : null;
    }
    $how ??= storeOfflineMessage($sender_id, $receiver_id, $content) ? 'stored' : null;
} catch (ChatPush\TimeoutException $timeout) {
    error_log($timeout->getMessage());
    refuse(504, 'This takes unusually long. The message may still arrive.');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'The message was not sent. Please try again.');
}
if ($how === null) {
    // With chatpush.errors=warning a failed call returns false.
    refuse(503, 'The message was not sent. Please try again.');
}
answer(['how' => $how]);
