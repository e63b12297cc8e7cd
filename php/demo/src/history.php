<?php

/** The history: every message, in a table of the application's own. */

declare(strict_types=1);

/** The most messages in one answer of messages.php. */
const HISTORY_PAGE = 100;

/** The fields of a message, the same wherever the page gets it from. See message(). */
const MESSAGE_FIELDS = '`id` AS `row`, `message_id` AS `id`, `sender_id` AS `from`, `receiver_id` AS `to`,
    `group_id` AS `group`, `text`, `sent_at` AS `time`, `deleted_at` IS NOT NULL AS `deleted`';

/** The time in milliseconds since 1970. */
function now(): int
{
    return (int) (microtime(true) * 1000);
}

/** A message without the fields that it has no use for: it is to a user or to a group, and deleted or not. */
function message(array $row): array
{
    $row['deleted'] = (bool) $row['deleted'] ?: null;
    return array_filter($row, fn ($value) => $value !== null);
}

/**
 * Writes a message to the history and returns it. If an earlier attempt of the same request has written it,
 * returns that one.
 */
function keep_message(int $sender_id, array $conversation, string $message_id, string $text): array
{
    ['group' => $group_id, 'thread' => $thread] = $conversation;
    $receiver_id = $group_id === null ? $conversation['receivers'][0] : null;
    query(
        'INSERT INTO `message`
        (`sender_id`, `receiver_id`, `group_id`, `thread`, `message_id`, `text`, `sent_at`)
        VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE `id` = `id`',
        [$sender_id, $receiver_id, $group_id, $thread, $message_id, $text, now()],
    );
    return find_message($sender_id, $message_id);
}

/** A message of this sender, or null. */
function find_message(int $sender_id, string $message_id): ?array
{
    $select = 'SELECT ' . MESSAGE_FIELDS . ' FROM `message` WHERE `sender_id` = ? AND `message_id` = ?';
    $found = query($select, [$sender_id, $message_id]);
    return $found === [] ? null : message($found[0]);
}

/** Records that chatpush has accepted a message. */
function mark_handed_over(int $row): void
{
    query('UPDATE `message` SET `handed_over` = 1 WHERE `id` = ?', [$row]);
}

/** Deletes the text of a message. That there was one stays. */
function mark_deleted(int $row): void
{
    query(
        "UPDATE `message` SET `text` = '', `deleted_at` = COALESCE(`deleted_at`, ?) WHERE `id` = ?",
        [now(), $row],
    );
}

/**
 * Part of a conversation, oldest first: the messages after a row, those before a row, or the last ones. The
 * user's own have a `state`, see ticks.js, and `got`: the receivers of whom a device has confirmed it.
 *
 * @return array{messages: list<array>, more: bool} `more`: there are further ones in that direction
 */
function messages_of(int $user_id, array $conversation, ?int $after = null, ?int $before = null): array
{
    [$limit, $order] = match (true) {
        $after !== null => ['AND `id` > ?', 'ASC'],
        $before !== null => ['AND `id` < ?', 'DESC'],
        default => ['', 'DESC'],
    };
    $found = query(
        'SELECT ' . MESSAGE_FIELDS . ", `handed_over` FROM `message`
        WHERE `thread` = ? $limit ORDER BY `message`.`id` $order LIMIT " . (HISTORY_PAGE + 1),
        array_filter([$conversation['thread'], $after ?? $before], fn ($value) => $value !== null),
    );
    $messages = [];
    $waiting = waiting($user_id, $conversation);
    foreach (array_slice($found, 0, HISTORY_PAGE) as $row) {
        $is_handed_over = $row['handed_over'] === 1;
        unset($row['handed_over']);
        $message = message($row);
        if ($message['from'] === $user_id) {
            $got = array_diff($conversation['receivers'], $waiting[$message['id']] ?? []);
            $message += $is_handed_over
                ? ['state' => 'stored', 'got' => array_values($got)]
                : ['state' => 'sending', 'got' => []];
        }
        $messages[] = $message;
    }
    return [
        'messages' => $order === 'ASC' ? $messages : array_reverse($messages),
        'more' => count($found) > HISTORY_PAGE,
    ];
}

/** The messages of a conversation that were deleted since a time: `from` and `id` of each. */
function deleted_since(array $conversation, int $time): array
{
    return query(
        'SELECT `sender_id` AS `from`, `message_id` AS `id` FROM `message`
        WHERE `thread` = ? AND `deleted_at` >= ?',
        [$conversation['thread'], $time],
    );
}

/**
 * Who still waits for which of the sender's messages: ids of receivers, by message id. chatpush deletes a row
 * when a device of the receiver has confirmed it. So a message that was handed over and does not wait for a
 * receiver was delivered to them.
 */
function waiting(int $sender_id, array $conversation): array
{
    if ($conversation['receivers'] === []) {
        return [];
    }
    $marks = implode(', ', array_fill(0, count($conversation['receivers']), '?'));
    $rows = query(
        "SELECT `receiver_id`, `content` FROM `offline_message`
        WHERE `receiver_id` IN ($marks) AND `sender_id` = ?",
        [...$conversation['receivers'], $sender_id],
    );
    $waiting = [];
    foreach ($rows as ['receiver_id' => $receiver_id, 'content' => $content]) {
        $waiting[json_decode($content, true)['id'] ?? ''][] = $receiver_id;
    }
    return $waiting;
}

/** The last message of each thread that has one, by thread. */
function last_messages(array $threads): array
{
    if ($threads === []) {
        return [];
    }
    $marks = implode(', ', array_fill(0, count($threads), '?'));
    $rows = query(
        'SELECT `thread`, ' . MESSAGE_FIELDS . " FROM `message` WHERE `message`.`id` IN
        (SELECT MAX(m.`id`) FROM `message` m WHERE m.`thread` IN ($marks) GROUP BY m.`thread`)",
        $threads,
    );
    $last = [];
    foreach ($rows as $row) {
        $thread = $row['thread'];
        unset($row['thread']);
        $last[$thread] = message($row);
    }
    return $last;
}
