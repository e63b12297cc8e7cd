<?php

declare(strict_types=1);

/** Who is reached in rooms, and everywhere. It needs no database. */
final class RoomPushTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::PushOnly];

    public function testRoomReachesThoseInItWhoAreConnected(): void
    {
        [$a, $b, $other] = $this->connected(3);
        $this->installation->enter($a, 'a', 'b', 'a');
        $this->installation->enter($b, 'a');
        self::assertEqualsCanonicalizing([$a, $b], ChatPush\getRoomUsers('a'));
        self::assertTrue(ChatPush\pushToRoom('a', 'hello', 7));
        self::assertFalse(ChatPush\pushToRoom('nobody', 'lost', 7));
        foreach ([$a, $b] as $user) {
            [$frame] = $this->installation->messages($user);
            self::assertSame(['id', 'type', 'data', 'time', 'room'], array_keys($frame));
            self::assertSame(['hello', 7, 'a'], [$frame['data'], $frame['type'], $frame['room']]);
        }
        self::assertSame([], $this->installation->messages($other));
        $this->installation->enter($a, 'b');
        $this->installation->disconnect($b);
        $this->installation->connect($b);
        eventually('nobody is in the room', fn () => ChatPush\getRoomUsers('a') === []);
        self::assertSame([$a], ChatPush\getRoomUsers('b'));
    }

    public function testRoomMayBeAnInteger(): void
    {
        [$user] = $this->connected(1);
        $this->installation->enter($user, 7);
        self::assertSame([$user], ChatPush\getRoomUsers(7));
        self::assertTrue(ChatPush\pushToRoom(7, 'hello', 'text'));
        self::assertSame('7', $this->installation->messages($user)[0]['room']);
        self::assertSame([$user], ChatPush\getRoomUsers('7'));
    }

    public function testEverybodyIsReached(): void
    {
        eventually('nobody is connected', fn () => !ChatPush\pushToAll('to nobody', 'notice'));
        foreach ($this->connected(2) as $user) {
            self::assertTrue(ChatPush\pushToAll("to $user", 'notice'));
            $messages = $this->installation->messages($user);
            self::assertContains("to $user", array_column($messages, 'data'));
            self::assertArrayNotHasKey('room', $messages[0]);
        }
    }

    /** @return list<int> */
    private function connected(int $count): array
    {
        $users = array_map(fn () => $this->installation->newUser(), range(1, $count));
        array_map($this->installation->connect(...), $users);
        return $users;
    }
}
