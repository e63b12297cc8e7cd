<?php

declare(strict_types=1);

/** ChatPush\pushToUsers and ChatPush\getOnlineUsers: many users in one call. */
final class ManyUsersTest extends ChatPushTestCase
{
    public function testPushReachesThoseWhoAreConnectedInTheOrderGiven(): void
    {
        $users = array_map(fn () => self::newUser(), range(1, 6));
        $connected = [$users[4], $users[0], $users[3]];
        $sockets = array_map(self::connect(...), $connected);
        $list = [$users[4], $users[1], $users[3], $users[5], $users[0], $users[2]];
        $reached = [$users[4], $users[3], $users[0]];
        self::assertSame($reached, ChatPush\pushToUsers($list, 'all', 7));
        foreach ($sockets as $socket) {
            $message = $socket->message();
            self::assertSame(['all', 7], [$message['data'], $message['type']]);
            self::assertArrayNotHasKey('from', $message);
            self::assertArrayNotHasKey('offline', $message);
        }
        self::assertSame($reached, ChatPush\getOnlineUsers($list));
        foreach ($users as $user) {
            self::assertSame([[], 0], [self::stored($user), self::unread($user)]);
        }
    }

    public function testADoubleCountsOnceAndKeysDoNotMatter(): void
    {
        [$user, $other] = [self::newUser(), self::newUser()];
        $socket = self::connect($user);
        $list = ['a' => $user, "\xFF" => $other, 7 => $user];
        self::assertSame([$user], ChatPush\pushToUsers($list, 'once', 'text'));
        self::assertSame([$user], ChatPush\getOnlineUsers($list));
        pushMessage($user, 'end', 'text');
        self::assertSame(['once', 'end'], [$socket->message()['data'], $socket->message()['data']]);
    }

    /** All partitions, and more than one script call in some of them. */
    public function testThousandsOfReceivers(): void
    {
        $user = self::newUser();
        $socket = self::connect($user);
        $list = range(1_000_000, 1_009_998);
        array_splice($list, 5_000, 0, [$user]);
        self::assertSame([$user], ChatPush\pushToUsers($list, 'to the one', 'text'));
        self::assertSame('to the one', $socket->message()['data']);
        self::assertSame([$user], ChatPush\getOnlineUsers($list));
    }

    public function testLargeContent(): void
    {
        [$user, $other] = [self::newUser(), self::newUser()];
        [$socket, $second] = [self::connect($user), self::connect($other)];
        $content = str_repeat('x', 65_535);
        // All of one partition, so that a script call would be too long with 128 of them.
        $list = array_map(fn (int $i) => $user + 64 * $i, range(0, 200));
        self::assertSame([$user, $other], ChatPush\pushToUsers([...$list, $other], $content, 'text'));
        self::assertSame([$content, $content], [$socket->message()['data'], $second->message()['data']]);
    }

    /** The content is sent once for all receivers of a partition. */
    public function testContentIsSentOncePerScriptCall(): void
    {
        $content = str_repeat('y', 10_000);
        ChatPush\pushToUsers([64_000], '', 'text');
        $before = self::received();
        ChatPush\pushToUsers(array_map(fn (int $i) => 64_000 + 64 * $i, range(1, 128)), $content, 'text');
        self::assertLessThan(2 * strlen($content) + 128 * 60, self::received() - $before);
    }

    public function testAnEmptyListTakesNoTrip(): void
    {
        ini_set('chatpush.redis_url', 'redis://127.0.0.1:1');
        ini_set('chatpush.timeout_ms', '300');
        self::assertSame([], ChatPush\pushToUsers([], 'x', 'text'));
        self::assertSame([], ChatPush\getOnlineUsers([]));
        self::expectThrown(ChatPush\ConnectionException::class, fn () => ChatPush\getOnlineUsers([1]));
    }

    public function testFailuresAsWarningsGiveEmptyLists(): void
    {
        ini_set('chatpush.redis_url', 'redis://127.0.0.1:1');
        ini_set('chatpush.timeout_ms', '300');
        ini_set('chatpush.errors', 'warning');
        self::assertSame([], @ChatPush\pushToUsers([1, 2], 'x', 'text'));
        self::assertStringContainsString('chatpush: Redis at', error_get_last()['message']);
        self::assertSame([], @ChatPush\getOnlineUsers([1, 2]));
    }

    /** The process keeps nothing of a call. */
    public function testMemoryStaysFlat(): void
    {
        $list = range(2_000_000, 2_000_999);
        $content = str_repeat('z', 1_000);
        $call = function () use ($list, $content): void {
            ChatPush\pushToUsers($list, $content, 'text');
            ChatPush\getOnlineUsers($list);
        };
        $call();
        [$php, $process] = [memory_get_usage(), self::residentPages()];
        for ($i = 0; $i < 200; $i++) {
            $call();
        }
        self::assertLessThan(64 * 1024, memory_get_usage() - $php);
        self::assertLessThan(1_000, self::residentPages() - $process, 'pages');
    }

    /** Bytes that Redis has received so far. */
    private static function received(): int
    {
        preg_match('/total_net_input_bytes:(\d+)/', Stack::redis()->call('INFO', 'stats'), $found);
        return (int) $found[1];
    }

    private static function residentPages(): int
    {
        return (int) explode(' ', file_get_contents('/proc/self/statm'))[1];
    }

    /** Connects a client and waits for its unread counter, after which it is subscribed. */
    private static function connect(int $user): WebSocket
    {
        $socket = new WebSocket(self::token($user));
        self::assertSame([[], 0], $socket->untilUnreadCount());
        return $socket;
    }
}
