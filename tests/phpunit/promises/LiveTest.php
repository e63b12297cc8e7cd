<?php

declare(strict_types=1);

/** What reaches only those who are connected. */
final class LiveTest extends PromisesTestCase
{
    public function testPushReachesOnlyThoseWhoAreConnected(): void
    {
        $user = $this->installation->newUser();
        self::assertFalse(pushMessage($user, 'too early', 'chat'));
        self::assertFalse(ChatPush\isOnline($user));
        $this->installation->connect($user);
        self::assertTrue(ChatPush\isOnline($user));
        self::assertTrue(pushMessage($user, 'hello', 7));
        self::assertTrue(ChatPush\pushMessage($user, '', ''));
        $messages = $this->installation->messages($user);
        self::assertSame(['hello', ''], array_column($messages, 'data'));
        self::assertSame([7, ''], array_column($messages, 'type'));
        self::assertSame(['id', 'type', 'data', 'time'], array_keys($messages[0]));
        self::assertEqualsWithDelta(microtime(true) * 1000, $messages[0]['time'], 600_000);
        self::assertSame([[], 0], [getOfflineMessage($user), getUnreadCount($user)]);
        $this->installation->disconnect($user);
        self::assertFalse(ChatPush\isOnline($user));
    }

    public function testListsCountDoublesOnceAndKeepTheirOrder(): void
    {
        $users = array_map(fn () => $this->installation->newUser(), range(1, 4));
        $this->installation->connect($users[1]);
        $this->installation->connect($users[3]);
        $list = [$users[3], $users[0], 'key' => $users[1], 9 => $users[3], 10 => $users[2]];
        $reached = [$users[3], $users[1]];
        self::assertSame($reached, ChatPush\getOnlineUsers($list));
        self::assertSame($reached, ChatPush\pushToUsers($list, 'once', 'chat'));
        self::assertSame(['once'], array_column($this->installation->messages($users[3]), 'data'));
        self::assertSame([[], []], [ChatPush\pushToUsers([], 'x', 'chat'), ChatPush\getOnlineUsers([])]);
    }

    public function testDisconnectUserEndsTheConnections(): void
    {
        $user = $this->installation->newUser();
        self::assertFalse(ChatPush\disconnectUser($user));
        $this->installation->connect($user);
        self::assertTrue(ChatPush\disconnectUser($user));
        eventually('the user is offline', fn () => !ChatPush\isOnline($user));
    }

    public function testPingAndClose(): void
    {
        ChatPush\close();
        self::assertTrue(ChatPush\ping());
        ChatPush\close();
    }
}
