<?php

// Stubs of chatpush 0.1.0 for editors and analysers. They are generated: ./dev stubs

namespace ChatPush {
    /**
     * Everything but a wrong argument that a call can throw: a setting that cannot be used, or one of the classes below.
     */
    class Exception extends \RuntimeException {}

    /**
     * Redis cannot be reached, or the connection to it broke.
     */
    class ConnectionException extends \ChatPush\Exception {}

    /**
     * No daemon runs, or the backlog is full. Nothing was queued; the call can be repeated later.
     */
    class UnavailableException extends \ChatPush\Exception {}

    /**
     * No answer in time. The text says whether the message is queued and will be stored.
     */
    class TimeoutException extends \ChatPush\Exception {}

    /**
     * What became of a message that was sent. It is stored in either case, and its row goes once a client has
     * confirmed it.
     */
    enum Delivery
    {
        /**
         * Somebody was there: it was pushed in the same step.
         */
        case Live;
        /**
         * Nobody was there: it is delivered when the receiver connects.
         */
        case Stored;
    }

    /**
     * Pushes a message to every device of a user who is connected now.
     *
     * One Redis round trip, at most once, in order per receiver for one caller. Pushing a content that
     * `getOfflineMessage()` returned earlier in the same request delivers that stored row, which goes once
     * the receiver's client has confirmed it.
     *
     * @param int $receiver_id 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type what the front end is told the message is, at most 64 bytes
     * @return bool true: Redis queued it to at least one daemon that holds a connection of that user; false: nobody is there
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function pushMessage(int $receiver_id, string $content, string|int $type): bool {}

    /**
     * Stores a message for a user and counts it as unread, in one transaction, exactly once.
     *
     * A receiver who is connected after all gets it at once. Inside an open transaction of the application
     * that has touched the receiver's row of the user table this call waits for itself: commit first.
     *
     * @param int $sender_id 1 to 2147483647
     * @param int $receiver_id 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @return bool true: the row is committed in MySQL, or is in the durable queue if `chatpush.durability` is `queued`
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
     */
    function storeOfflineMessage(int $sender_id, int $receiver_id, string $content): bool {}

    /**
     * Returns the messages stored for a user, oldest first. Reading removes nothing.
     *
     * Sees every store that returned before the call.
     *
     * @param int $user_id 1 to 2147483647
     * @param int $limit at most so many, 1 to 100000
     * @param int $after_id only rows with a larger id
     * @return list<array{id: int, sender_id: int, receiver_id: int, content: string, send_time: string}>
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getOfflineMessage(int $user_id, int $limit = 1000, int $after_id = 0): array {}

    /**
     * Returns what `user.unread_count` holds now, also after the application's own SQL.
     *
     * Sees every store that returned before the call. An unknown user has 0.
     *
     * @param int $user_id 1 to 2147483647
     * @return int 0 or more
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getUnreadCount(int $user_id): int {}

    /**
     * Ends a user's connections on every daemon, as after signing out or a ban.
     *
     * They are closed with code 4403, on which a client does not connect again by itself. A token that is still
     * valid opens a new one: do not give out another.
     *
     * @param int $user_id 1 to 2147483647
     * @return bool true: at least one daemon that holds a connection of that user was told; false: nobody is there
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function disconnectUser(int $user_id): bool {}

    /**
     * Stores a message exactly once and pushes it in the same step to whoever is there.
     *
     * The row goes once a client has confirmed it. With a `$message_id` a repeated call is the same message: it is
     * remembered for 24 hours and as long as its row is there, by sender and receiver, and the second call
     * waits for the first one's commit and answers what that one did.
     *
     * A failure is thrown also where `chatpush.errors` asks for warnings, since no value says it.
     *
     * @param int $sender_id 1 to 2147483647
     * @param int $receiver_id 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type what the front end is told the message is, at most 64 bytes
     * @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is a message of its own
     * @return Delivery whether somebody was there
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
     */
    function sendMessage(int $sender_id, int $receiver_id, string $content, string|int $type = 'text', ?string $message_id = null): \ChatPush\Delivery {}

    /**
     * Tells whether a daemon holds a connection of the user now.
     *
     * @param int $user_id 1 to 2147483647
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function isOnline(int $user_id): bool {}

    /**
     * Sets a user's unread counter to 0 and tells the user's devices.
     *
     * @param int $user_id 1 to 2147483647
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
     * @throws \ChatPush\TimeoutException not done in time; the text says whether it is queued
     */
    function clearUnreadCount(int $user_id): void {}

    /**
     * Removes stored messages that the application has shown itself instead of pushing them.
     *
     * @param int $user_id 1 to 2147483647
     * @param list<int> $ids row ids as `getOfflineMessage()` returned them, at most 10,000; rows of other users stay
     * @return int how many rows were removed
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
     * @throws \ChatPush\TimeoutException not done in time; the text says whether it is queued
     */
    function ackOfflineMessage(int $user_id, array $ids): int {}

    /**
     * Makes a token with which a user's browser connects: `new WebSocket(url + '?token=' + token)`.
     *
     * @param int $user_id 1 to 2147483647
     * @param int $ttl_seconds how long it is valid, 1 to 31536000
     * @return string a JSON Web Token, signed with `chatpush.secret`
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\Exception `chatpush.secret` is not set or too short
     */
    function connectToken(int $user_id, int $ttl_seconds = 3600): string {}
}

namespace {
    /**
     * Pushes a message to every device of a user who is connected now.
     *
     * One Redis round trip, at most once, in order per receiver for one caller. Pushing a content that
     * `getOfflineMessage()` returned earlier in the same request delivers that stored row, which goes once
     * the receiver's client has confirmed it.
     *
     * @param int $receiver_id 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type what the front end is told the message is, at most 64 bytes
     * @return bool true: Redis queued it to at least one daemon that holds a connection of that user; false: nobody is there
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function pushMessage(int $receiver_id, string $content, string|int $type): bool {}

    /**
     * Stores a message for a user and counts it as unread, in one transaction, exactly once.
     *
     * A receiver who is connected after all gets it at once. Inside an open transaction of the application
     * that has touched the receiver's row of the user table this call waits for itself: commit first.
     *
     * @param int $sender_id 1 to 2147483647
     * @param int $receiver_id 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @return bool true: the row is committed in MySQL, or is in the durable queue if `chatpush.durability` is `queued`
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
     */
    function storeOfflineMessage(int $sender_id, int $receiver_id, string $content): bool {}

    /**
     * Returns the messages stored for a user, oldest first. Reading removes nothing.
     *
     * Sees every store that returned before the call.
     *
     * @param int $user_id 1 to 2147483647
     * @param int $limit at most so many, 1 to 100000
     * @param int $after_id only rows with a larger id
     * @return list<array{id: int, sender_id: int, receiver_id: int, content: string, send_time: string}>
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getOfflineMessage(int $user_id, int $limit = 1000, int $after_id = 0): array {}

    /**
     * Returns what `user.unread_count` holds now, also after the application's own SQL.
     *
     * Sees every store that returned before the call. An unknown user has 0.
     *
     * @param int $user_id 1 to 2147483647
     * @return int 0 or more
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getUnreadCount(int $user_id): int {}
}
