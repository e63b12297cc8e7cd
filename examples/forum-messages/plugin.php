<?php

/**
 * What the forum gets: a function for its hook "a private message was stored".
 */

declare(strict_types=1);

/**
 * Shows the receivers who have the forum open that there is a message.
 *
 * @param list<int|string> $receiver_ids
 */
function announce_private_message(int $message_id, string $from, string $subject, array $receiver_ids): void
{
    try {
        $news = ['id' => $message_id, 'from' => $from, 'subject' => $subject];
        $content = json_encode($news, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
        ChatPush\pushToUsers($receiver_ids, $content, 'private_message');
    } catch (ChatPush\Exception | ValueError $problem) {
        // The message is in the inbox, which shows it with the next page.
        error_log($problem->getMessage());
    }
}
