<?php

declare(strict_types=1);

use ChatPush\Testing\Server;

/** Rooms in memory. */
final class RoomsInMemoryTest extends PHPUnit\Framework\TestCase
{
    protected function setUp(): void
    {
        Server::reset();
    }

    public function testRoomReachesThoseInItWhoAreConnected(): void
    {
        array_map(Server::connect(...), [2, 3, 4]);
        Server::enter(2, 'a', 'b', 'a');
        Server::enter(3, 'a');
        Server::enter(5, 'a');
        self::assertSame([2, 3], ChatPush\getRoomUsers('a'));
        self::assertTrue(ChatPush\pushToRoom('a', 'hello', 7));
        self::assertFalse(ChatPush\pushToRoom('nobody', 'lost', 7));
        foreach ([2, 3] as $user) {
            [$frame] = Server::pushed($user);
            self::assertSame(['hello', 7, 'a'], [$frame['data'], $frame['type'], $frame['room']]);
        }
        self::assertSame([], Server::pushed(4));
        Server::enter(2, 'b');
        Server::disconnect(3);
        Server::connect(3);
        self::assertSame([[], [2]], [ChatPush\getRoomUsers('a'), ChatPush\getRoomUsers('b')]);
    }

    public function testRoomMayBeAnInteger(): void
    {
        Server::connect(2);
        Server::enter(2, 7);
        self::assertSame([2], ChatPush\getRoomUsers(7));
        self::assertTrue(ChatPush\pushToRoom(7, 'hello', 'text'));
        self::assertSame('7', Server::pushed(2)[0]['room']);
        self::assertSame([2], ChatPush\getRoomUsers('7'));
    }

    public function testEverybodyIsReached(): void
    {
        self::assertFalse(ChatPush\pushToAll('to nobody', 'notice'));
        array_map(Server::connect(...), [2, 3]);
        self::assertTrue(ChatPush\pushToAll('to all', 'notice'));
        self::assertSame(['to all', 'to all'], [Server::pushed(2)[0]['data'], Server::pushed(3)[0]['data']]);
    }

    public function testGrantIsThatOfTheExtension(): void
    {
        [$header, $claims] = explode('.', ChatPush\grantToken(7, [9, '9', 12], ['a', 5, '5'], 60));
        $read = fn (string $part) => json_decode(base64_decode(strtr($part, '-_', '+/')), true);
        self::assertSame(['alg' => 'HS256', 'typ' => 'chatpush-grant+jwt'], $read($header));
        $claims = $read($claims);
        self::assertSame(['7', [9, 12], ['a', '5']], [$claims['sub'], $claims['peers'], $claims['rooms']]);
        self::assertSame(60, $claims['exp'] - $claims['iat']);
    }

    public function testFailuresAreThoseOfAPush(): void
    {
        Server::fail(calls: 3);
        $calls = [
            fn () => ChatPush\pushToRoom('a', 'x', 'y'),
            fn () => ChatPush\getRoomUsers('a'),
            fn () => ChatPush\pushToAll('x', 'y'),
        ];
        foreach ($calls as $call) {
            try {
                $call();
                self::fail('it succeeds');
            } catch (ChatPush\ConnectionException $failure) {
                self::assertSame(ChatPush\Outcome::NotQueued, $failure->getOutcome());
            }
        }
    }
}
