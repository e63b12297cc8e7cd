<?php

/**
 * The four functions that are also global. One that the application has itself is left alone, as with
 * chatpush.global_functions = 0.
 */

declare(strict_types=1);

use ChatPush\Testing\Live;
use ChatPush\Testing\Mailbox;

if (!function_exists('pushMessage')) {
    function pushMessage(
        string|int $receiver_id,
        string $content,
        string|int $type,
        ?string $message_id = null,
    ): bool {
        return Live::push(__FUNCTION__, $receiver_id, $content, $type, $message_id);
    }
}

if (!function_exists('storeOfflineMessage')) {
    function storeOfflineMessage(string|int $sender_id, string|int $receiver_id, string $content): bool
    {
        return Mailbox::store(__FUNCTION__, $sender_id, $receiver_id, $content);
    }
}

if (!function_exists('getOfflineMessage')) {
    function getOfflineMessage(string|int $user_id, int $limit = 1000, int $after_id = 0): array
    {
        return Mailbox::rows(__FUNCTION__, $user_id, $limit, $after_id);
    }
}

if (!function_exists('getUnreadCount')) {
    function getUnreadCount(string|int $user_id): int
    {
        return Mailbox::unread(__FUNCTION__, $user_id);
    }
}
