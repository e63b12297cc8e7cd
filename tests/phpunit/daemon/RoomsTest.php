<?php

declare(strict_types=1);

/** Grants, rooms, and what is pushed to all. */
final class RoomsTest extends ChatPushTestCase
{
    public function testRoomIsReachedAndNamed(): void
    {
        [$user, $other, $room] = [self::newUser(), self::newUser(), 'room:' . bin2hex(random_bytes(4))];
        self::assertFalse(ChatPush\pushToRoom($room, 'early', 'text'));
        self::assertSame([], ChatPush\getRoomUsers($room));
        $sockets = array_map(fn (int $user) => self::inRooms($user, [$room]), [$user, $user, $other]);
        self::assertTrue(ChatPush\pushToRoom($room, 'hello', 7));
        foreach ($sockets as $socket) {
            $message = $socket->message();
            self::assertSame(['hello', 7, $room], [$message['data'], $message['type'], $message['room']]);
        }
        self::assertEqualsCanonicalizing([$user, $other], ChatPush\getRoomUsers($room), 'each user once');
        array_map(fn (WebSocket $socket) => $socket->close(), $sockets);
        eventually('the room is empty', fn () => !ChatPush\pushToRoom($room, 'late', 'text'));
        self::assertSame([], ChatPush\getRoomUsers($room));
    }

    /** PHP makes integers of keys that are digits. */
    public function testRoomMayBeAnInteger(): void
    {
        [$user, $name] = [self::newUser(), (string) random_int(1, PHP_INT_MAX)];
        $socket = self::inRooms($user, [$name]);
        foreach (array_keys([$name => 'a room of the application']) as $room) {
            self::assertIsInt($room);
            self::assertTrue(ChatPush\pushToRoom($room, 'hello', 'text'));
            self::assertSame($name, $socket->message()['room']);
            self::assertSame([$user], ChatPush\getRoomUsers($room));
        }
    }

    public function testEverybodyIsReached(): void
    {
        $sockets = [self::connect(self::newUser()), self::connect(self::newUser())];
        self::assertTrue(ChatPush\pushToAll('to all', 'notice'));
        foreach ($sockets as $socket) {
            self::assertSame('to all', $socket->message()['data']);
        }
        self::unservedPrefix();
        self::assertFalse(ChatPush\pushToAll('to nobody', 'notice'));
    }

    /** A daemon that does not answer makes the call time out; it does not look as if nobody were there. */
    public function testSilentDaemonIsAnError(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.timeout_ms', '150');
        $silent = new RedisConnection(Stack::redisUrl());
        $silent->subscribe(sprintf('%s:{%s}:room:a', $prefix, self::tag(crc32('a') % 64)));
        $thrown = self::expectThrown(ChatPush\TimeoutException::class, fn () => ChatPush\getRoomUsers('a'));
        self::assertSame(ChatPush\Outcome::NotQueued, $thrown->getOutcome());
        self::assertStringContainsString('did not answer in time', $thrown->getMessage());
        ini_set('chatpush.errors', 'warning');
        self::assertSame([], @ChatPush\getRoomUsers('a'));
    }

    public function testGrantNamesPeersAndRoomsOnce(): void
    {
        // A numeric key of an array is an integer.
        $claims = self::claims('ChatPush\grantToken(7, [9, 12, 9], ["a", "b" => 5, "c" => "a"], 60)');
        self::assertSame(['7', [9, 12], ['a', '5']], [$claims['sub'], $claims['peers'], $claims['rooms']]);
        self::assertSame(60, $claims['exp'] - $claims['iat']);
        $claims = self::claims('ChatPush\grantToken(7)');
        self::assertSame([[], [], 3600], [$claims['peers'], $claims['rooms'], $claims['exp'] - $claims['iat']]);
        $largest = self::claims(
            'ChatPush\grantToken(7, range(1, 500), array_map(fn ($i) => str_pad($i, 64, "r"), range(1, 100)))',
        );
        self::assertSame([500, 100], [count($largest['peers']), count($largest['rooms'])]);
    }

    public function testGrantConnectsNobody(): void
    {
        $user = self::newUser();
        $grant = self::script("ChatPush\\grantToken($user)");
        self::assertStringContainsString('401', (new WebSocket($grant))->status);
        $socket = new WebSocket(self::token($user), 'chatpush.v1');
        $socket->untilUnreadCount();
        $socket->text(json_encode(['grant' => $grant]));
        self::assertArrayHasKey('until', $socket->message());
        $socket->text(json_encode(['grant' => self::token($user)]));
        self::assertStringContainsString('no grant', $socket->message()['error']);
    }

    private static function connect(int $user): WebSocket
    {
        $socket = new WebSocket(self::token($user));
        $socket->untilUnreadCount();
        return $socket;
    }

    /** A connection that is in these rooms. */
    private static function inRooms(int $user, array $rooms): WebSocket
    {
        $socket = new WebSocket(self::token($user), 'chatpush.v1');
        $socket->untilUnreadCount();
        $list = json_encode($rooms);
        $socket->text(json_encode(['grant' => self::script("ChatPush\\grantToken($user, [], $list)")]));
        self::assertSame('grant', $socket->message()['type']);
        return $socket;
    }

    /** What an expression gives where the secret is that of the daemon. */
    private static function script(string $expression): string
    {
        $script = new Script("echo $expression;", ['chatpush.secret' => Stack::secret()]);
        self::assertSame(0, $script->code, $script->output);
        return $script->output;
    }

    private static function claims(string $expression): array
    {
        [, $claims] = explode('.', self::script($expression));
        return json_decode(base64_decode(strtr($claims, '-_', '+/')), true, 512, JSON_THROW_ON_ERROR);
    }
}
