<?php

/**
 * What the pages and the job share: handing a row of the history over to chatpush.
 */

declare(strict_types=1);

/** The columns that a page gets, from messages.php and in a message alike. */
const HISTORY_COLUMNS = 'id, sender_id, receiver_id, body, created_at';

/**
 * Hands a row over: it is stored in the queue, counted, and delivered now or when the receiver connects.
 *
 * The id of the row makes it one message, however often it is handed over. Returns false if it has to be
 * tried again.
 *
 * @param array{id: int, sender_id: int, receiver_id: int, body: string, created_at: string} $row
 */
function hand_over(array $row): bool
{
    $flags = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE;
    try {
        $content = json_encode($row, $flags);
        ChatPush\sendMessage($row['sender_id'], $row['receiver_id'], $content, 'chat', "m{$row['id']}");
    } catch (ValueError | ChatPush\Exception $problem) {
        error_log("message {$row['id']}: {$problem->getMessage()}");
        // A wrong user id or too long a text stays wrong. What is queued needs no second try.
        if ($problem instanceof ChatPush\Exception && $problem->isRetryable()) {
            return false;
        }
    }
    database()->prepare('UPDATE history SET handed_over = 1 WHERE id = ?')->execute([$row['id']]);
    return true;
}
