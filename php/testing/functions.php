<?php

/**
 * The functions of the extension, with its parameters and types. php/stubs/chatpush.stub.php documents them.
 */

declare(strict_types=1);

namespace ChatPush;

use ChatPush\Testing\Live;
use ChatPush\Testing\Mailbox;
use ChatPush\Testing\Many;
use ChatPush\Testing\Notifications;
use ChatPush\Testing\Process;
use ChatPush\Testing\PushSubscriptions;
use ChatPush\Testing\Rooms;

function pushMessage(string|int $receiver_id, string $content, string|int $type, ?string $message_id = null): bool
{
    return Live::push(__FUNCTION__, $receiver_id, $content, $type, $message_id);
}

function storeOfflineMessage(string|int $sender_id, string|int $receiver_id, string $content): bool
{
    return Mailbox::store(__FUNCTION__, $sender_id, $receiver_id, $content);
}

function getOfflineMessage(string|int $user_id, int $limit = 1000, int $after_id = 0): array
{
    return Mailbox::rows(__FUNCTION__, $user_id, $limit, $after_id);
}

function getUnreadCount(string|int $user_id): int
{
    return Mailbox::unread(__FUNCTION__, $user_id);
}

function disconnectUser(string|int $user_id): bool
{
    return Live::disconnect(__FUNCTION__, $user_id);
}

function sendMessage(
    string|int $sender_id,
    string|int $receiver_id,
    string $content,
    string|int $type = 'text',
    ?string $message_id = null,
    string|int|null $conversation = null,
): ?Delivery {
    return Mailbox::send(__FUNCTION__, $sender_id, $receiver_id, $content, $type, $message_id, $conversation);
}

function sendToUsers(
    string|int $sender_id,
    array $receiver_ids,
    string $content,
    string|int $type = 'text',
    ?string $message_id = null,
    string|int|null $conversation = null,
): array {
    return Many::send(__FUNCTION__, $sender_id, $receiver_ids, $content, $type, $message_id, $conversation);
}

function isOnline(string|int $user_id): bool
{
    return Live::isOnline(__FUNCTION__, $user_id);
}

function pushToUsers(array $receiver_ids, string $content, string|int $type): array
{
    return Many::push(__FUNCTION__, $receiver_ids, $content, $type);
}

function getOnlineUsers(array $user_ids): array
{
    return Many::online(__FUNCTION__, $user_ids);
}

function getUnreadCounts(string|int $user_id): array
{
    return Mailbox::unreadCounts(__FUNCTION__, $user_id);
}

function clearUnreadCount(string|int $user_id, string|int|null $conversation = null): void
{
    Mailbox::clearUnread(__FUNCTION__, $user_id, $conversation);
}

function ackOfflineMessage(string|int $user_id, array $ids): int
{
    return Mailbox::ack(__FUNCTION__, $user_id, $ids);
}

function recallMessage(string|int $sender_id, string|int $receiver_id, string $message_id): bool
{
    return Mailbox::recall(__FUNCTION__, $sender_id, $receiver_id, $message_id);
}

function forgetUser(string|int $user_id): void
{
    Mailbox::forget(__FUNCTION__, $user_id);
}

function getDueNotifications(int $limit = 100, int $lease_seconds = 60): array
{
    return Notifications::due(__FUNCTION__, $limit, $lease_seconds);
}

function markNotified(array $user_ids): int
{
    return Notifications::mark(__FUNCTION__, $user_ids);
}

function savePushSubscription(string|int $user_id, string $subscription_json): void
{
    PushSubscriptions::save(__FUNCTION__, $user_id, $subscription_json);
}

function removePushSubscription(string|int $user_id, string $endpoint): bool
{
    return PushSubscriptions::remove(__FUNCTION__, $user_id, $endpoint);
}

function pushToRoom(string|int $room, string $content, string|int $type): bool
{
    return Rooms::push(__FUNCTION__, $room, $content, $type);
}

function getRoomUsers(string|int $room): array
{
    return Rooms::users(__FUNCTION__, $room);
}

function pushToAll(string $content, string|int $type): bool
{
    return Rooms::pushToAll(__FUNCTION__, $content, $type);
}

function connectToken(string|int $user_id, int $ttl_seconds = 3600): string
{
    return Process::connectToken(__FUNCTION__, $user_id, $ttl_seconds);
}

function grantToken(string|int $user_id, array $peers = [], array $rooms = [], int $ttl_seconds = 3600): string
{
    return Process::grantToken(__FUNCTION__, $user_id, $peers, $rooms, $ttl_seconds);
}

function ping(): bool
{
    return Process::ping();
}

function close(): void
{
}
