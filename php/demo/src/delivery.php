<?php

/** Messages on their way to the receivers, by chatpush. */

declare(strict_types=1);

/**
 * Gives a message to chatpush, which stores it for each receiver and pushes it to those who are connected.
 * A repeated call with the same message completes what was missing.
 *
 * @return ?string 'live' if a receiver was connected, or 'stored'; null if it is not stored for all of them
 */
function hand_over(int $sender_id, array $conversation, array $message): ?string
{
    ['name' => $name, 'group' => $group, 'receivers' => $receivers] = $conversation;
    $content = json($message);
    // Without a conversation of its own, a message counts as unread under its sender.
    $deliveries = $group === null
        ? [ChatPush\sendMessage($sender_id, $receivers[0], $content, 'chat', $message['id'])]
        : ChatPush\sendToUsers($sender_id, $receivers, $content, 'chat', $message['id'], $name);
    // With `chatpush.errors` = `warning` those that failed are missing.
    if (count(array_filter($deliveries)) < count($receivers)) {
        return null;
    }
    return in_array(ChatPush\Delivery::Live, $deliveries, true) ? 'live' : 'stored';
}

/** Takes a message back: what waits is deleted, and the pages of the receivers remove it. */
function take_back(int $sender_id, array $conversation, string $message_id): void
{
    foreach ($conversation['receivers'] as $receiver_id) {
        ChatPush\recallMessage($sender_id, $receiver_id, $message_id);
    }
}
