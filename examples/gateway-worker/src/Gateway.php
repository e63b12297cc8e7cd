<?php

declare(strict_types=1);

namespace GatewayWorker\Lib;

/**
 * The functions of a class of this name that a push needs, on chatpush: event code that calls them runs.
 *
 * A client id is the user id. A connection belongs to the user of its token, and a message goes to all pages
 * of that user. What cannot be had throws and says what to do instead.
 */
final class Gateway
{
    /** The type of the messages, which tells the page that they come from event code. */
    public const TYPE = 'gateway';

    /** Where the groups that joinGroup() names are kept, in $_SESSION. */
    private const ROOMS = 'gateway_rooms';

    /** Addresses and keys that event code may set. Nothing reads them. */
    public static mixed $registerAddress = null;
    public static mixed $secretKey = null;

    /** The user whose message is handled, or whose connection has ended. */
    private static int|string|null $current = null;

    /** What to do in place of a function that cannot be had. */
    private const INSTEAD = [
        'getalluidlist' => self::EVERYBODY,
        'getalluidcount' => self::EVERYBODY,
        'getallclientidlist' => self::EVERYBODY,
        'getallclientidcount' => self::EVERYBODY,
        'getallclientcount' => self::EVERYBODY,
        'getallclientsessions' => self::EVERYBODY,
        'getallclientinfo' => self::EVERYBODY,
        'getsession' => self::SESSION,
        'setsession' => self::SESSION,
        'updatesession' => self::SESSION,
        'getclientsessionsbygroup' => self::SESSION,
        'getallgroupidlist' => self::ROOM_LIST,
        'getallgroupuidlist' => self::ROOM_LIST,
        'getallgroupuidcount' => self::ROOM_LIST,
        'getallgroupclientidlist' => self::ROOM_LIST,
        'getallgroupclientidcount' => self::ROOM_LIST,
        'ungroup' => 'a room ends when nobody has a grant for it: sign grants without it',
        'unbinduid' => 'a connection belongs to the user of its token: end it with closeClient()',
    ];
    private const EVERYBODY =
        'nobody keeps a list of all users: ask ChatPush\getOnlineUsers() about those you know';
    private const SESSION = 'a connection has no session: keep it in $_SESSION or in your database';
    private const ROOM_LIST = 'nobody keeps a list of rooms: ask getUidListByGroup() about one that you know';

    /**
     * Runs event code for a user: sendToCurrentClient() and joinGroup() mean them.
     *
     * @template T
     * @param \Closure(): T $event
     * @return T
     */
    public static function handle(int|string $uid, \Closure $event): mixed
    {
        self::$current = $uid;
        try {
            return $event();
        } finally {
            self::$current = null;
        }
    }

    /**
     * The groups that the user of this session has joined.
     *
     * @return list<string>
     */
    public static function groups(): array
    {
        return array_map('strval', array_keys($_SESSION[self::ROOMS] ?? []));
    }

    /** A grant for the groups that the user of this session has joined. */
    public static function grant(int|string $uid, int $ttl_seconds = 3600): string
    {
        return \ChatPush\grantToken($uid, [], self::groups(), $ttl_seconds);
    }

    /** @param int|string|array<int|string> $uid */
    public static function sendToUid(int|string|array $uid, string $message): bool
    {
        return \ChatPush\pushToUsers((array) $uid, $message, self::TYPE) !== [];
    }

    public static function sendToClient(int|string $client_id, string $message): bool
    {
        return \ChatPush\pushMessage($client_id, $message, self::TYPE);
    }

    public static function sendToCurrentClient(string $message): bool
    {
        return self::sendToClient(self::current(), $message);
    }

    public static function sendToAll(
        string $message,
        ?array $client_id_array = null,
        int|string|array|null $exclude_client_id = null,
        bool $raw = false,
    ): bool {
        self::notRaw(__FUNCTION__, $raw);
        if ($client_id_array !== null) {
            return self::sendToUid(self::without($client_id_array, $exclude_client_id), $message);
        }
        if ((array) $exclude_client_id !== []) {
            $way = 'name the sender in the message, and let the page ignore its own';
            throw self::cannot('sendToAll() with $exclude_client_id and no list', $way);
        }
        return \ChatPush\pushToAll($message, self::TYPE);
    }

    public static function sendToGroup(
        int|string|array $group,
        string $message,
        int|string|array|null $exclude_client_id = null,
        bool $raw = false,
    ): bool {
        self::notRaw(__FUNCTION__, $raw);
        $reached = false;
        foreach ((array) $group as $room) {
            if ((array) $exclude_client_id === []) {
                $reached = \ChatPush\pushToRoom((string) $room, $message, self::TYPE) || $reached;
            } else {
                $users = self::without(\ChatPush\getRoomUsers((string) $room), $exclude_client_id);
                $reached = self::sendToUid($users, $message) || $reached;
            }
        }
        return $reached;
    }

    public static function isUidOnline(int|string $uid): int
    {
        return (int) \ChatPush\isOnline($uid);
    }

    public static function isOnline(int|string $client_id): int
    {
        return self::isUidOnline($client_id);
    }

    /** @return list<int|string> the user's id if they are connected */
    public static function getClientIdByUid(int|string $uid): array
    {
        return \ChatPush\getOnlineUsers([$uid]);
    }

    public static function getUidByClientId(int|string $client_id): int|string
    {
        return $client_id;
    }

    /** @return array<int|string, int|string> */
    public static function getUidListByGroup(int|string $group): array
    {
        $users = \ChatPush\getRoomUsers((string) $group);
        return array_combine($users, $users);
    }

    public static function getUidCountByGroup(int|string $group): int
    {
        return count(\ChatPush\getRoomUsers((string) $group));
    }

    /** @return array<int|string, int|string> */
    public static function getClientIdListByGroup(int|string $group): array
    {
        return self::getUidListByGroup($group);
    }

    public static function getClientIdCountByGroup(int|string $group): int
    {
        return self::getUidCountByGroup($group);
    }

    public static function getClientCountByGroup(int|string $group): int
    {
        return self::getUidCountByGroup($group);
    }

    /** Ends all connections of the user and revokes their tokens, after a last message. */
    public static function closeClient(int|string $client_id, ?string $message = null): bool
    {
        if ($message !== null) {
            self::sendToClient($client_id, $message);
        }
        return \ChatPush\disconnectUser($client_id);
    }

    public static function closeCurrentClient(?string $message = null): bool
    {
        return self::closeClient(self::current(), $message);
    }

    /** The user of a connection is that of its token, so there is nothing to do but to refuse another. */
    public static function bindUid(int|string $client_id, int|string $uid): void
    {
        if ((string) $client_id !== (string) $uid) {
            $way = "this connection belongs to user $client_id, who is signed in: sign in as $uid first";
            throw self::cannot("bindUid() to $uid", $way);
        }
    }

    /** Joins the current user's pages to a room, with their next grant: see grant.php. */
    public static function joinGroup(int|string $client_id, int|string $group): void
    {
        self::onlyCurrent(__FUNCTION__, $client_id);
        self::sessionOpen(__FUNCTION__);
        $_SESSION[self::ROOMS][(string) $group] = true;
    }

    public static function leaveGroup(int|string $client_id, int|string $group): void
    {
        self::onlyCurrent(__FUNCTION__, $client_id);
        self::sessionOpen(__FUNCTION__);
        unset($_SESSION[self::ROOMS][(string) $group]);
    }

    /** @param list<mixed> $arguments */
    public static function __callStatic(string $name, array $arguments): never
    {
        $way = self::INSTEAD[strtolower($name)] ?? 'see the README of this example for what can';
        throw self::cannot("$name()", $way);
    }

    private static function current(): int|string
    {
        return self::$current ?? throw self::cannot('A current client', 'call it from an event of handle()');
    }

    private static function onlyCurrent(string $function, int|string $client_id): void
    {
        if ((string) $client_id !== (string) self::current()) {
            $way = 'a grant belongs to the user who asks for it: let them join themselves';
            throw self::cannot("$function() for another user", $way);
        }
    }

    /** What is written to a session that is closed is lost without a word. */
    private static function sessionOpen(string $function): void
    {
        if (session_status() !== PHP_SESSION_ACTIVE) {
            $way = 'the groups are kept in it: run event code before session_write_close()';
            throw self::cannot("$function() without an open session", $way);
        }
    }

    private static function notRaw(string $function, bool $raw): void
    {
        if ($raw) {
            throw self::cannot("$function() with \$raw", 'a message is a text; encode bytes as Base64');
        }
    }

    /**
     * @param array<int|string> $users
     * @param int|string|array<int|string>|null $excluded
     * @return list<int|string>
     */
    private static function without(array $users, int|string|array|null $excluded): array
    {
        $excluded = array_map('strval', (array) $excluded);
        return array_values(array_filter($users, fn ($user) => !in_array((string) $user, $excluded, true)));
    }

    private static function cannot(string $what, string $instead): \BadMethodCallException
    {
        return new \BadMethodCallException("$what cannot be had with chatpush: $instead");
    }
}
