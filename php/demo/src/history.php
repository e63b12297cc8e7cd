<?php

/** The history: every message, in a table of the application's own. */

declare(strict_types=1);

/** The most messages in one answer of messages.php. */
const HISTORY_PAGE = 100;

/** The fields of a message, the same wherever the page gets it from. */
const MESSAGE_FIELDS = '`id` AS `row`, `message_id` AS `id`, `sender_id` AS `from`, `receiver_id` AS `to`,
    `text`, `sent_at` AS `time`';

/**
 * Writes a message to the history and returns it. If an earlier attempt of the same request has written it,
 * returns that one.
 */
function keep_message(int $sender_id, int $receiver_id, string $message_id, string $text): array
{
    $now = (int) (microtime(true) * 1000);
    query(
        'INSERT INTO `message` (`sender_id`, `receiver_id`, `message_id`, `text`, `sent_at`)
        VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE `id` = `id`',
        [$sender_id, $receiver_id, $message_id, $text, $now],
    );
    $select = 'SELECT ' . MESSAGE_FIELDS . ' FROM `message` WHERE `sender_id` = ? AND `message_id` = ?';
    return query($select, [$sender_id, $message_id])[0];
}

/** Records that chatpush has accepted a message. */
function mark_handed_over(int $row): void
{
    query('UPDATE `message` SET `handed_over` = 1 WHERE `id` = ?', [$row]);
}

/**
 * Part of a conversation, oldest first: the messages after a row, those before a row, or the last ones. The
 * user's own have a `state`, see ticks.js.
 *
 * @return array{messages: list<array>, more: bool} `more`: there are further ones in that direction
 */
function conversation(int $user_id, int $person_id, ?int $after = null, ?int $before = null): array
{
    [$limit, $order] = match (true) {
        $after !== null => ['AND `id` > ?', 'ASC'],
        $before !== null => ['AND `id` < ?', 'DESC'],
        default => ['', 'DESC'],
    };
    $values = [min($user_id, $person_id), max($user_id, $person_id), $after ?? $before];
    $found = query(
        'SELECT ' . MESSAGE_FIELDS . ", `handed_over` FROM `message`
        WHERE `low_id` = ? AND `high_id` = ? $limit ORDER BY `message`.`id` $order LIMIT " . (HISTORY_PAGE + 1),
        array_filter($values, is_int(...)),
    );
    $messages = array_slice($found, 0, HISTORY_PAGE);
    $waiting = array_flip(waiting_ids($user_id, $person_id));
    foreach ($messages as &$message) {
        $state = match (true) {
            !$message['handed_over'] => 'sending',
            isset($waiting[$message['id']]) => 'stored',
            default => 'delivered',
        };
        unset($message['handed_over']);
        $message += $message['from'] === $user_id ? ['state' => $state] : [];
    }
    return [
        'messages' => $order === 'ASC' ? $messages : array_reverse($messages),
        'more' => count($found) > HISTORY_PAGE,
    ];
}

/**
 * Which of the sender's messages to a receiver still wait. chatpush deletes a row when a device of the
 * receiver has confirmed it. So a message that was handed over and is not among these was delivered.
 */
function waiting_ids(int $sender_id, int $receiver_id): array
{
    $rows = query(
        'SELECT `content` FROM `offline_message` WHERE `receiver_id` = ? AND `sender_id` = ?',
        [$receiver_id, $sender_id],
    );
    return array_map(fn (array $row) => json_decode($row['content'], true)['id'] ?? null, $rows);
}

/** Records that a user has seen a conversation up to this row. */
function mark_seen(int $user_id, int $person_id, int $row): void
{
    query(
        'INSERT INTO `seen` (`user_id`, `person_id`, `message`) VALUES (?, ?, ?)
        ON DUPLICATE KEY UPDATE `message` = GREATEST(`message`, VALUES(`message`))',
        [$user_id, $person_id, $row],
    );
}
