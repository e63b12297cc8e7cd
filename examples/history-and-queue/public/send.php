<?php

/**
 * Keeps a message in the history, then hands it over.
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';
require __DIR__ . '/../functions.php';

startSession();
$user_id = requireUserOfScript();
$receiver_id = (int) postedText('receiver_id');
$body = postedText('body');
// In JSON one byte becomes six at most, so 10,000 bytes fit into a message.
if ($receiver_id < 1 || $receiver_id > 2_147_483_647 || $body === '' || strlen($body) > 10_000) {
    http_response_code(422);
    exit;
}
$insert = 'INSERT INTO history (sender_id, receiver_id, body, created_at, handed_over)
    VALUES (?, ?, ?, NOW(), 0)';
database()->prepare($insert)->execute([$user_id, $receiver_id, $body]);
$select = database()->prepare('SELECT ' . HISTORY_COLUMNS . ' FROM history WHERE id = ?');
$select->execute([(int) database()->lastInsertId()]);
$row = $select->fetch();
hand_over($row);
header('Content-Type: application/json');
echo json_encode($row, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
