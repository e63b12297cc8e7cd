<?php
// Which of the user's messages to a receiver still wait. A row is deleted when a device of the receiver has
// confirmed the message, so a stored message that is not listed here was delivered.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$sender_id = require_user();
$receiver_id = filter_var($_GET['receiver_id'] ?? null, FILTER_VALIDATE_INT);
$rows = query(
    'SELECT `content` FROM `offline_message` WHERE `receiver_id` = ? AND `sender_id` = ?',
    [(int) $receiver_id, $sender_id],
);
answer(['waiting' => array_map(fn (array $row) => json_decode($row['content'], true)['id'] ?? null, $rows)]);
