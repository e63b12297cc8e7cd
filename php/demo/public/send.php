<?php
// Sends a message: it is stored exactly once and pushed to the receiver's connected devices.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$sender_id = require_user();
require_own_post();
$receiver_id = filter_var($_POST['receiver_id'] ?? null, FILTER_VALIDATE_INT);
$text = is_string($_POST['text'] ?? null) ? trim($_POST['text']) : '';
$id = is_string($_POST['id'] ?? null) ? $_POST['id'] : '';
if ($receiver_id === false || query('SELECT 1 FROM `user` WHERE `id` = ?', [$receiver_id]) === []) {
    refuse(422, 'This user does not exist.');
}
if ($text === '' || preg_match('//u', $text) !== 1 || strlen($text) > 8000) {
    refuse(422, 'A message has 1 to 8,000 bytes.');
}
if (preg_match('/^[a-z0-9]{16,32}$/D', $id) !== 1) {
    refuse(422, 'The page is too old. Please reload it.');
}
$content = json_encode(['type' => 'chat', 'from' => $sender_id, 'id' => $id, 'text' => $text]);

$delivery = null;
try {
    // The page repeats a request that had no answer. The same id makes it the same message.
    $delivery = ChatPush\sendMessage($sender_id, $receiver_id, $content, 'chat', $id);
} catch (ChatPush\TimeoutException $timeout) {
    error_log($timeout->getMessage());
    refuse(504, 'This takes unusually long.');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
}
if (!$delivery instanceof ChatPush\Delivery) {
    // With chatpush.errors=warning a failed call returns false.
    refuse(503, 'The message was not sent.');
}
answer(['how' => $delivery === ChatPush\Delivery::Live ? 'live' : 'stored']);
