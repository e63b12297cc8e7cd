<?php

declare(strict_types=1);

/**
 * The connections of all users by user id, in place of an array that onOpen() and onClose() keep.
 *
 * The daemon knows who is connected, so setting and unsetting does nothing.
 *
 * @implements ArrayAccess<int|string, PushConnection>
 */
final class PushConnections implements ArrayAccess
{
    /** Whether the user is connected. */
    public function offsetExists(mixed $user_id): bool
    {
        return ChatPush\isOnline($user_id);
    }

    public function offsetGet(mixed $user_id): PushConnection
    {
        return new PushConnection($user_id);
    }

    public function offsetSet(mixed $user_id, mixed $connection): void
    {
    }

    public function offsetUnset(mixed $user_id): void
    {
    }

    /**
     * Sends a text to those of many users who are connected, in one round trip.
     *
     * @param list<int|string> $user_ids
     */
    public function sendTo(array $user_ids, string $data): void
    {
        ChatPush\pushToUsers($user_ids, $data, PushConnection::TYPE);
    }
}
