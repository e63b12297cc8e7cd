<?php

declare(strict_types=1);

use ChatPush\Testing\Server;

/** What php/testing has instead of browsers: grants that nobody reads, and rooms that a test enters. */
final class GrantInMemoryTest extends PromisesTestCase
{
    public function testGrantIsThatOfTheExtension(): void
    {
        [$header, $claims] = explode('.', ChatPush\grantToken(7, [9, '9', 12], ['a', 5, '5'], 60));
        $read = fn (string $part) => json_decode(base64_decode(strtr($part, '-_', '+/')), true);
        self::assertSame(['alg' => 'HS256', 'typ' => 'chatpush-grant+jwt'], $read($header));
        $claims = $read($claims);
        self::assertSame(['7', [9, 12], ['a', '5']], [$claims['sub'], $claims['peers'], $claims['rooms']]);
        self::assertSame(60, $claims['exp'] - $claims['iat']);
    }

    public function testRoomOfSomebodyWhoIsAwayIsEmpty(): void
    {
        Server::enter(5, 'a');
        self::assertSame([], ChatPush\getRoomUsers('a'));
        self::assertFalse(ChatPush\pushToRoom('a', 'x', 'y'));
    }
}
