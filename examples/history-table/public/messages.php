<?php

/**
 * Returns the messages between the user and another one that are newer than a row, as JSON.
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';

startSession();
$user_id = requireUserOfScript();
$peer_id = (int) ($_GET['with'] ?? 0);
$select = database()->prepare(
    'SELECT id, sender_id, body, created_at FROM message
    WHERE id > ? AND ((sender_id = ? AND receiver_id = ?) OR (sender_id = ? AND receiver_id = ?))
    ORDER BY id LIMIT 100'
);
$select->execute([(int) ($_GET['after'] ?? 0), $user_id, $peer_id, $peer_id, $user_id]);
header('Content-Type: application/json');
echo json_encode($select->fetchAll(), JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
