<?php

declare(strict_types=1);

namespace ChatPush\Testing;

use ChatPush\Exception;
use ChatPush\Outcome;

/**
 * The installation in memory, for tests to set up and to look at. Begin each test with reset().
 */
final class Server
{
    /** The key that connectToken() signs with. */
    public const SECRET = 'the secret of chatpush in tests, not of any server';

    /** Forgets everything: connections, messages, counters, failures, settings. */
    public static function reset(): void
    {
        Memory::clear();
    }

    /**
     * Connects a page of a user. It gets what is stored for the user.
     *
     * @param bool $confirms whether it confirms what it gets, so that the rows go; false: they stay
     */
    public static function connect(int|string $user, bool $confirms = true): void
    {
        Memory::get()->connect($user, $confirms);
    }

    /** Puts the pages of a user into these rooms alone, as their grant does. */
    public static function enter(int|string $user, string|int ...$rooms): void
    {
        $memory = Memory::get();
        $user = $memory->userOfKey($user);
        foreach ($memory->rooms as $room => $users) {
            $memory->rooms[$room] = array_values(array_filter($users, fn ($other) => $other !== $user));
        }
        foreach (array_unique($rooms) as $room) {
            $memory->rooms[$room][] = $user;
        }
    }

    /** Ends all connections of a user. */
    public static function disconnect(int|string $user): void
    {
        self::enter($user);
        unset(Memory::get()->connections[$user]);
    }

    /**
     * The messages that the pages of a user have got, each once, oldest first.
     *
     * @return list<array<string, mixed>> with `id`, `type`, `data` and `time`, and where they apply `from`,
     *     `conversation`, `room` and `offline`
     */
    public static function pushed(int|string $user): array
    {
        return Memory::get()->frames($user);
    }

    /**
     * The ids that the pages of a user were told to remove, by recallMessage(). Some may be of no message: pages are
     * told in any case of an id that a sender has chosen.
     *
     * @return list<string>
     */
    public static function recalled(int|string $user): array
    {
        return Memory::get()->recalled[$user] ?? [];
    }

    /**
     * The stored messages of a user, as getOfflineMessage() returns them.
     *
     * @return list<array<string, mixed>>
     */
    public static function stored(int|string $user): array
    {
        return array_map(fn (Message $row) => $row->columns(), array_values(Memory::get()->rowsOf($user)));
    }

    /** The unread counter of a user. */
    public static function unread(int|string $user): int
    {
        return Memory::get()->unread[$user] ?? 0;
    }

    /** Sets the unread counter, as the application's own SQL does. */
    public static function setUnread(int|string $user, int $count): void
    {
        Memory::get()->unread[$user] = $count;
    }

    /**
     * Makes the next calls fail. It replaces what an earlier fail() said.
     *
     * What is queued happens although the call fails. Of a call with an unknown outcome `$done` says it. A
     * call that only reads is never queued or unknown.
     *
     * @param int|null $calls how many calls fail; null: all until recover() or reset()
     * @param class-string<Exception>|null $exception null: ConnectionException if nothing was queued,
     *     TimeoutException otherwise
     */
    public static function fail(
        Outcome $outcome = Outcome::NotQueued,
        ?int $calls = 1,
        ?string $exception = null,
        bool $done = false,
    ): void {
        if ($exception !== null && !is_a($exception, Exception::class, true)) {
            throw new \ValueError("$exception is not a ChatPush\\Exception");
        }
        Memory::get()->fail(new Failure($outcome, $exception, $done), $calls);
    }

    /** Lets calls succeed again. */
    public static function recover(): void
    {
        Memory::get()->fail(null, null);
    }

    /** Makes failures warnings, as chatpush.errors = warning does in php.ini. */
    public static function makeErrorsWarnings(bool $warnings = true): void
    {
        Memory::get()->errorsAreWarnings = $warnings;
    }

    /** Makes it an installation with user ids of this type. Of type text, getOfflineMessage() gives texts. */
    public static function setUserIdType(UserIdType $type): void
    {
        Memory::get()->userIdType = $type;
    }

    /** Makes it an installation with unread_by_conversation. */
    public static function countByConversation(): void
    {
        Memory::get()->countsConversations = true;
    }

    /**
     * Makes it an installation with notify.after, of which no time has to pass.
     *
     * @param bool $unread whether notify.when is `unread` instead of `undelivered`
     */
    public static function notify(bool $unread = false): void
    {
        Memory::get()->notifications = new Notifications($unread);
    }

    /** Makes it an installation with [web_push], in which every host is allowed. Nothing is sent. */
    public static function allowWebPush(): void
    {
        Memory::get()->pushSubscriptions = new PushSubscriptions();
    }

    /**
     * The endpoints that savePushSubscription() has saved for a user, oldest first.
     *
     * @return list<string>
     */
    public static function pushEndpoints(int|string $user): array
    {
        return Memory::get()->pushSubscriptions?->of($user) ?? [];
    }

    /** Makes it an installation with mailbox.max_messages. 0: no limit. */
    public static function limitMailboxes(int $messages): void
    {
        Memory::get()->maxMessages = $messages;
    }

    /** Makes it an installation with storage = "none". */
    public static function makePushOnly(bool $pushOnly = true): void
    {
        Memory::get()->pushOnly = $pushOnly;
    }
}
