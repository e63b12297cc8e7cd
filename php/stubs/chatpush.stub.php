<?php

// Stubs of chatpush 0.2.0 for editors and analysers. They are generated: ./dev stubs

namespace ChatPush {
    /**
     * Every failure of a call but an invalid argument: an invalid setting, a message that MySQL refused, a
     * subclass.
     */
    class Exception extends \RuntimeException
    {
        /**
         * Returns whether the same call may succeed later and can be repeated without harm.
         *
         * It is false if the cause does not pass by itself, such as an invalid setting; if the call is queued; and
         * if its outcome is unknown, unless a repeated call has no effect of its own, as with a `$message_id`.
         */
        public function isRetryable(): bool {}

        /**
         * Returns what is known of the call's effect.
         */
        public function getOutcome(): \ChatPush\Outcome {}
    }

    /**
     * Redis cannot be reached or refuses, or the connection to it broke.
     */
    class ConnectionException extends \ChatPush\Exception {}

    /**
     * No daemon runs, Redis has no installation or another one, too much is waiting, or a read could not be
     * answered. Nothing was queued; `isRetryable()` says whether to try again.
     */
    class UnavailableException extends \ChatPush\Exception {}

    /**
     * No answer in time. `getOutcome()` says whether the message is queued and will be stored.
     */
    class TimeoutException extends \ChatPush\Exception {}

    /**
     * `sendToUsers()` failed for some receivers, and not for others or not in the same way. `getOutcome()` is
     * `Unknown` if it is unknown for any of them, else `NotQueued` if it is that for any, else `Queued`. Repeating the
     * call with the same `$message_id` completes what was missing.
     */
    class PartialException extends \ChatPush\Exception
    {
        /**
         * Returns for whom the message is stored, by receiver, in the order of the call.
         *
         * @return array<string|int, Delivery>
         */
        public function getDeliveries(): array {}

        /**
         * Returns what is known of the others, by receiver, in the order of the call.
         *
         * @return array<string|int, Outcome>
         */
        public function getOutcomes(): array {}
    }

    /**
     * What became of a message that was sent. It is stored in either case, and its row goes once a client has
     * confirmed it.
     */
    enum Delivery: string
    {
        /**
         * The receiver was connected: the message was pushed in the same step.
         */
        case Live = 'live';
        /**
         * The receiver was not connected: the message is delivered when they connect.
         */
        case Stored = 'stored';
    }

    /**
     * What is known of the effect of a call that failed.
     */
    enum Outcome: string
    {
        /**
         * It is not stored, and will not be by itself. Nobody has seen it, unless MySQL refused it.
         */
        case NotQueued = 'not_queued';
        /**
         * It is in the log and will be done once. Do not repeat the call.
         */
        case Queued = 'queued';
        /**
         * It may have been done, or may still be done.
         */
        case Unknown = 'unknown';
    }

    /**
     * Pushes a message to every device of a user who is connected now.
     *
     * It takes one Redis round trip and delivers at most once. The messages of one caller to one receiver
     * keep their order.
     *
     * A content that `getOfflineMessage()` returned in the same request carries its row, if it is the very
     * string and not an equal one. It still is after `foreach`, an assignment, a reference or a `trim()`
     * that trims nothing, but not after `htmlspecialchars()`, JSON or a session: pass the row's
     * `message_id` then. A connection shows a row once, and the row is deleted, or marked in a history, once
     * the receiver's client has confirmed it.
     *
     * @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @param string|null $message_id the `message_id` of the row that the content belongs to
     * @return bool true: a daemon with a connection of the user got it; false: the user is not connected
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function pushMessage(string|int $receiver_id, string $content, string|int $type, ?string $message_id = null): bool {}

    /**
     * Stores a message for a user and counts it as unread, in one transaction, exactly once.
     *
     * A receiver who is connected gets it at once. Commit an open transaction that has changed the receiver's
     * row of the user table before this call: it would wait for that row until it times out.
     *
     * @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @return bool true: it is committed in MySQL, or in the log with `chatpush.durability=queued`, or in that of a
     *     replica too with `replicated`. With `chatpush.errors` = `warning` also: it is queued, but was not committed
     *     or replicated in time
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
     * @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused the message
     */
    function storeOfflineMessage(string|int $sender_id, string|int $receiver_id, string $content): bool {}

    /**
     * Returns the messages stored for a user, oldest first. Reading deletes nothing.
     *
     * The result includes every store that returned before the call. `pushMessage()` says how to push a row.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param int $limit the most rows to return, 1 to 100000
     * @param int $after_id only rows with a larger id
     * @return list<array{id: int, sender_id: string|int, receiver_id: string|int, content: string,
     *     send_time: string|int, message_id: string}>
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getOfflineMessage(string|int $user_id, int $limit = 1000, int $after_id = 0): array {}

    /**
     * Returns a user's unread counter, by default `user.unread_count`, including changes by the application's
     * own SQL.
     *
     * The result includes every store that returned before the call. It is 0 for an unknown user.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @return int 0 or more
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getUnreadCount(string|int $user_id): int {}

    /**
     * Closes a user's connections on every daemon, and revokes the tokens they were opened with.
     *
     * It is for signing out everywhere, or a ban. Tokens that were issued before this second are refused
     * from now on. The connections are closed with code 4403, after which a client does not connect again by
     * itself. A token that is signed later opens a connection again.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @return bool true: a daemon with a connection of the user got it; false: the user is not connected
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException Redis has no installation of this prefix
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown: call it again
     */
    function disconnectUser(string|int $user_id): bool {}

    /**
     * Stores a message exactly once and, in the same step, pushes it to the receiver's devices.
     *
     * The row is deleted, or marked in a history, once a client has confirmed it. With a `$message_id`, a
     * repeated call is the same message: the second call waits for the commit of the first one and returns what
     * that one returned. The id is remembered for 24 hours and as long as the row waits, for this sender and
     * receiver.
     *
     * @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is another message
     * @param string|int|null $conversation 1 to 64 of `A-Za-z0-9._:@-`: the group or topic it belongs to. It is in
     *     the client's frame
     * @return Delivery|null whether the receiver was connected. With `chatpush.errors` = `warning` also:
     *     `Stored` if it is queued, but was not committed in time; null if it is not known to be queued
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
     * @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused the message
     */
    function sendMessage(string|int $sender_id, string|int $receiver_id, string $content, string|int $type = 'text', ?string $message_id = null, string|int|null $conversation = null): ?\ChatPush\Delivery {}

    /**
     * Returns whether the user is connected to a daemon now.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function isOnline(string|int $user_id): bool {}

    /**
     * Pushes a message to every device of many users who are connected now.
     *
     * It takes one Redis round trip for all of them, and delivers at most once.
     *
     * @param list<string|int> $receiver_ids at most 10,000 user ids; who is in it twice gets it once
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @return list<string|int> those who were reached, in the order given: a daemon with a connection of theirs got it
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time: it is not known who was reached
     */
    function pushToUsers(array $receiver_ids, string $content, string|int $type): array {}

    /**
     * Stores a message for each of many users and, in the same step, pushes it to their devices.
     *
     * It is exactly once for each receiver, and not all or nothing. One write and one wait: the content goes to
     * Redis once for up to 128 receivers. With a `$message_id`, a repeated call completes what was missing; the
     * id is remembered as with `sendMessage()`.
     *
     * @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param list<string|int> $receiver_ids at most 10,000 user ids; who is in it twice gets it once
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is another message
     * @param string|int|null $conversation 1 to 64 of `A-Za-z0-9._:@-`: the group or topic it belongs to. It is in
     *     the client's frame
     * @return array<string|int, Delivery> by receiver, in the order given: whether each was connected. With
     *     `chatpush.errors` = `warning` only those whose message is stored or queued
     * @throws \ValueError an argument is out of range: nothing was sent
     * @throws \ChatPush\PartialException it failed for some of them
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
     * @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused all messages
     */
    function sendToUsers(string|int $sender_id, array $receiver_ids, string $content, string|int $type = 'text', ?string $message_id = null, string|int|null $conversation = null): array {}

    /**
     * Returns those of many users who are connected to a daemon now.
     *
     * It takes one Redis round trip for all of them.
     *
     * @param list<string|int> $user_ids at most 10,000 user ids
     * @return list<string|int> in the order given; texts with `user_id_type` = `text`
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getOnlineUsers(array $user_ids): array {}

    /**
     * Returns how many messages of each conversation a user has not read, of those above 0.
     *
     * The key of a message without a conversation is its sender. Needs `unread_by_conversation` in chatpushd.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @return array<array-key, int> by conversation, at most 10,000. A name of digits is an integer key
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     * @throws \ChatPush\Exception `unread_by_conversation` is off
     */
    function getUnreadCounts(string|int $user_id): array {}

    /**
     * Sets a user's unread counter to 0, or takes away what one conversation counts, and sends it to the user's
     * devices.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string|int|null $conversation 1 to 64 of `A-Za-z0-9._:@-`, or a key of `getUnreadCounts()`: only this
     *     one, or this sender. The counter falls by as much, never below 0
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
     * @throws \ChatPush\TimeoutException not done in time; see `getOutcome()`
     * @throws \ChatPush\Exception a conversation was given, and `unread_by_conversation` is off
     */
    function clearUnreadCount(string|int $user_id, string|int|null $conversation = null): void {}

    /**
     * Deletes stored messages that the application has shown itself instead of pushing them; in a history, marks
     * them as delivered.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param list<int> $ids row ids from `getOfflineMessage()`, at most 10,000; rows of other users stay
     * @return int how many rows were deleted or marked
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
     * @throws \ChatPush\TimeoutException not done in time; see `getOutcome()`
     */
    function ackOfflineMessage(string|int $user_id, array $ids): int {}

    /**
     * Removes everything that chatpush keeps of a user, for an erasure or before an id is used again.
     *
     * Their connections are closed and their tokens revoked, as by `disconnectUser()`. What waits for them is
     * deleted, or marked as delivered in a history, whose rows are the application's. Their unread counter
     * becomes 0. Messages that they have sent to others stay. With `storage` = `none` nothing else is kept than
     * what `disconnectUser()` changes, and it does the same.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs: nothing was done
     * @throws \ChatPush\TimeoutException not committed in time, as when very much waited; see `getOutcome()`
     */
    function forgetUser(string|int $user_id): void {}

    /**
     * Takes back a message that no client has confirmed.
     *
     * Its row is deleted, or marked as delivered in a history, and the unread counter falls by one, unless
     * it was cleared after the message. Clients with `chatpush.v1` that are connected are told to remove the
     * message, also if it was confirmed before. The id stays known, so a repeated `sendMessage()` does not
     * send the message again.
     *
     * @param string|int $sender_id who sent it
     * @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $message_id the id that `sendMessage()` was given, or that of the client's frame, which
     *     is `<sender>:<id>` then. A text that begins with the sender and a colon is an id of a frame
     * @return bool true: no client had confirmed it, but one may have shown it; false: it was confirmed,
     *     recalled or never stored
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs
     * @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
     */
    function recallMessage(string|int $sender_id, string|int $receiver_id, string $message_id): bool {}

    /**
     * Returns users of whom somebody is to be told that messages wait, those first who are due longest.
     *
     * A user is due when messages have waited for `notify.after` seconds and nobody was told since the user was
     * last connected (chatpushd's `notify.when` says what counts). Each is leased to this caller: others get the
     * user again when the lease ends, unless `markNotified()` was called. Times are in milliseconds since 1970.
     * `waiting` counts messages that no client has confirmed, up to 1,000, and `unread` is the unread counter. With
     * `notify.when` = `unread`, `waiting` may be 0, and `first_time` and `last` are null once the rows are gone.
     *
     * @param int $limit the most users to return, 1 to 1000; fewer if their messages are long
     * @param int $lease_seconds 1 to 86400
     * @return list<array{user_id: string|int, waiting: int, unread: int, first_time: int|null,
     *     last: array{message_id: string, sender_id: string|int, type: string|int, content: string,
     *     time: int}|null}>
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time; who was leased comes again when the lease ends
     * @throws \ChatPush\Exception `notify.after` is 0
     */
    function getDueNotifications(int $limit = 100, int $lease_seconds = 60): array {}

    /**
     * Says that users were told. They are due again only after they have connected, or have read.
     *
     * @param list<string|int> $user_ids at most 10,000 user ids
     * @return int how many of them were due or leased
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time: it may have been done, call it again
     * @throws \ChatPush\Exception `notify.after` is 0
     */
    function markNotified(array $user_ids): int {}

    /**
     * Saves a browser's subscription to Web Push, which chatpushd then tells that messages wait for the user.
     *
     * chatpush.js does this by itself over its connection. Saving it again changes nothing; saved for another
     * user, it is theirs. A user has at most 20, and the oldest goes.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $subscription_json what `JSON.stringify(subscription)` gives in the browser
     * @throws \ValueError an argument is out of range, or the JSON is no subscription
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time: it may have been done, call it again
     * @throws \ChatPush\Exception Web Push is off, or the push service is not in `web_push.hosts`
     */
    function savePushSubscription(string|int $user_id, string $subscription_json): void {}

    /**
     * Removes a browser's subscription to Web Push: for a sign-out on the server, so that the browser does not go on to
     * show that messages wait for the user.
     *
     * The page's own `chat.disableNotifications()` ends it in the browser too. A call that is repeated after a timeout
     * may return false although it has removed it.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $endpoint the subscription's `endpoint`, an https address of at most 1500 bytes
     * @return bool true: the user had such a subscription; false: there was none
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time: it may have been done, call it again
     * @throws \ChatPush\Exception Web Push is off
     */
    function removePushSubscription(string|int $user_id, string $endpoint): bool {}

    /**
     * Pushes a message to every connection in a room.
     *
     * It takes one Redis round trip, whatever the number of connections, and delivers at most once. Nothing
     * is stored: for messages that must not be lost, call `sendToUsers()`. A page is in the rooms that its grant
     * names (`grantToken()`).
     *
     * @param string|int $room 1 to 64 letters, digits, or any of . _ : @ -; a number is its digits
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @return bool true: a daemon with a connection in the room got it; false: nobody is there
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function pushToRoom(string|int $room, string $content, string|int $type): bool {}

    /**
     * Returns who has a connection in a room now, on any daemon: each user once, in no particular order.
     *
     * The daemons that hold these connections are asked, so the call takes one round trip to Redis and one
     * to them. A daemon that is killed is not asked; one that hangs counts until the others notice, which
     * takes at most 12 seconds, and the call times out meanwhile.
     *
     * @param string|int $room 1 to 64 letters, digits, or any of . _ : @ -; a number is its digits
     * @return list<string|int> user ids, at most 10,000 of them; texts with `user_id_type` = `text`
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getRoomUsers(string|int $room): array {}

    /**
     * Pushes a message to every connection there is.
     *
     * It takes one Redis round trip, whatever the number of connections, and delivers at most once. Nothing
     * is stored.
     *
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @return bool true: a daemon with connections got it; false: nobody is connected
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function pushToAll(string $content, string|int $type): bool {}

    /**
     * Returns a token with which a user's browser connects: `new WebSocket(url + '?token=' + token)`.
     *
     * @param string|int $user_id of any type: chatpushd refuses a token whose user is not of its `user_id_type`
     * @param int $ttl_seconds its lifetime in seconds, 1 to 31536000
     * @return string a JSON Web Token, signed with `chatpush.secret`
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\Exception `chatpush.secret` is not set or too short
     */
    function connectToken(string|int $user_id, int $ttl_seconds = 3600): string {}

    /**
     * Returns a grant: whose presence a user's pages see and whom they may send client events, and which
     * rooms they are in.
     *
     * `ChatPush.connect({ token, grant })` sends it on every connection. It replaces the one before, and ends
     * when it expires. `disconnectUser()` revokes it like a token. It does not connect by itself.
     *
     * @param string|int $user_id of any type, as for `connectToken()`
     * @param list<string|int> $peers user ids, at most 500; one that is there twice counts once
     * @param list<string> $rooms at most 100 names of 1 to 64 letters, digits, or any of . _ : @ -
     * @param int $ttl_seconds its lifetime in seconds, 1 to 31536000
     * @return string a JSON Web Token, signed with `chatpush.secret`
     * @throws \ValueError an argument is out of range; one in a list is named by its key
     * @throws \ChatPush\Exception `chatpush.secret` is not set or too short
     */
    function grantToken(string|int $user_id, array $peers = [], array $rooms = [], int $ttl_seconds = 3600): string {}

    /**
     * Returns whether Redis can be used now. It never throws, and gives no warning.
     *
     * A worker that lives long can ask it before a batch of work. Redis counts as there if it can be reached
     * in time, accepts the account, and is a master. For a second after a call could not reach Redis the
     * answer is false without a try.
     *
     * @return bool false: it cannot be reached, does not answer in `chatpush.timeout_ms`, refuses the account
     *              or is a replica, or a setting is invalid
     */
    function ping(): bool {}

    /**
     * Closes this process's connection to Redis. The next call opens a new one.
     *
     * A worker that will be idle for hours can call it, and so can one that is about to fork. It does nothing
     * if there is no connection.
     */
    function close(): void {}
}

namespace {
    /**
     * Pushes a message to every device of a user who is connected now.
     *
     * It takes one Redis round trip and delivers at most once. The messages of one caller to one receiver
     * keep their order.
     *
     * A content that `getOfflineMessage()` returned in the same request carries its row, if it is the very
     * string and not an equal one. It still is after `foreach`, an assignment, a reference or a `trim()`
     * that trims nothing, but not after `htmlspecialchars()`, JSON or a session: pass the row's
     * `message_id` then. A connection shows a row once, and the row is deleted, or marked in a history, once
     * the receiver's client has confirmed it.
     *
     * @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @param string|int $type the message type for the front end, at most 64 bytes
     * @param string|null $message_id the `message_id` of the row that the content belongs to
     * @return bool true: a daemon with a connection of the user got it; false: the user is not connected
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
     * @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
     */
    function pushMessage(string|int $receiver_id, string $content, string|int $type, ?string $message_id = null): bool {}

    /**
     * Stores a message for a user and counts it as unread, in one transaction, exactly once.
     *
     * A receiver who is connected gets it at once. Commit an open transaction that has changed the receiver's
     * row of the user table before this call: it would wait for that row until it times out.
     *
     * @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param string $content UTF-8, at most 65,535 bytes
     * @return bool true: it is committed in MySQL, or in the log with `chatpush.durability=queued`, or in that of a
     *     replica too with `replicated`. With `chatpush.errors` = `warning` also: it is queued, but was not committed
     *     or replicated in time
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
     * @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
     * @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused the message
     */
    function storeOfflineMessage(string|int $sender_id, string|int $receiver_id, string $content): bool {}

    /**
     * Returns the messages stored for a user, oldest first. Reading deletes nothing.
     *
     * The result includes every store that returned before the call. `pushMessage()` says how to push a row.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @param int $limit the most rows to return, 1 to 100000
     * @param int $after_id only rows with a larger id
     * @return list<array{id: int, sender_id: string|int, receiver_id: string|int, content: string,
     *     send_time: string|int, message_id: string}>
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getOfflineMessage(string|int $user_id, int $limit = 1000, int $after_id = 0): array {}

    /**
     * Returns a user's unread counter, by default `user.unread_count`, including changes by the application's
     * own SQL.
     *
     * The result includes every store that returned before the call. It is 0 for an unknown user.
     *
     * @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
     * @return int 0 or more
     * @throws \ValueError an argument is out of range
     * @throws \ChatPush\ConnectionException Redis cannot be reached
     * @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
     * @throws \ChatPush\TimeoutException no answer in time
     */
    function getUnreadCount(string|int $user_id): int {}
}
