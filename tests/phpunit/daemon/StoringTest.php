<?php

declare(strict_types=1);

/** The global functions with a running daemon and MySQL. */
final class StoringTest extends ChatPushTestCase
{
    public function testStoreIsCommittedAndCountedWhenItReturns(): void
    {
        $user = self::newUser();
        foreach (['one', 'two', 'three'] as $number => $text) {
            self::assertTrue(storeOfflineMessage(1, $user, $text));
            self::assertSame($number + 1, self::unread($user));
        }
        self::assertSame(['one', 'two', 'three'], self::stored($user));
        self::assertSame(3, getUnreadCount($user));
    }

    /** And each has its message id. */
    public function testRowsEqualThoseOfPdo(): void
    {
        $user = self::newUser();
        storeOfflineMessage(7, $user, 'x');
        $columns = 'id, sender_id, receiver_id, content, send_time';
        $select = "SELECT $columns FROM offline_message WHERE receiver_id = $user";
        $pdo = Stack::database()->query($select)->fetchAll(PDO::FETCH_ASSOC);
        [$row] = getOfflineMessage($user);
        self::assertMatchesRegularExpression('/^[0-9A-Z]{26}$/', $row['message_id']);
        self::assertSame([$pdo[0] + ['message_id' => $row['message_id']]], [$row]);
        self::assertEqualsWithDelta(time(), strtotime($pdo[0]['send_time'] . ' ' . date('T')), 60);
    }

    public function testReadingDeletesNothingAndPagesById(): void
    {
        $user = self::newUser();
        foreach (range(1, 5) as $i) {
            storeOfflineMessage(1, $user, "m$i");
        }
        $all = getOfflineMessage($user);
        self::assertSame(['m1', 'm2', 'm3', 'm4', 'm5'], array_column($all, 'content'));
        self::assertSame($all, getOfflineMessage($user));
        self::assertSame(array_slice($all, 0, 2), getOfflineMessage($user, 2));
        self::assertSame(
            array_slice($all, 2, 2),
            getOfflineMessage(user_id: $user, after_id: $all[1]['id'], limit: 2),
        );
        self::assertSame([], getOfflineMessage($user, after_id: $all[4]['id']));
    }

    /** Together they are more than the daemon puts into one reply. */
    public function testManyLargeRowsAreReturned(): void
    {
        $user = self::newUser();
        $contents = array_map(fn (int $i) => "$i" . str_repeat("\u{1F44D}", 16000), range(1, 90));
        ini_set('chatpush.durability', 'queued');
        foreach ($contents as $content) {
            storeOfflineMessage(1, $user, $content);
        }
        self::assertSame(
            $contents,
            array_column(getOfflineMessage($user), 'content'),
            'the read sees each store that has returned',
        );
        self::assertSame(90, getUnreadCount($user));
    }

    /** @dataProvider contents */
    public function testContentIsStoredVerbatim(string $content): void
    {
        $user = self::newUser();
        self::assertTrue(storeOfflineMessage(1, $user, $content));
        self::assertSame([$content], self::stored($user));
        self::assertSame($content, getOfflineMessage($user)[0]['content']);
    }

    public static function contents(): iterable
    {
        yield 'empty' => [''];
        yield 'one emoji' => ['👍'];
        yield 'the longest' => [str_repeat('x', 65535)];
        yield 'the longest in four bytes each' => [str_repeat('👍', 16383) . 'abc'];
        yield 'NUL bytes' => ["a\0b\0"];
        yield 'quotes and SQL' => ["'\"\\`; DROP TABLE `user`; -- ?:x %s"];
        yield 'control characters' => ["\x01\x1F\x7F\r\n\t\u{2028}\u{FEFF}"];
        yield 'trailing spaces' => ["  x  \n"];
    }

    public function testUnknownReceiverIsAccepted(): void
    {
        self::assertTrue(storeOfflineMessage(1, 2000000001, 'to whom?'));
        self::assertSame(['to whom?'], self::stored(2000000001));
        self::assertSame(0, getUnreadCount(2000000001));
        self::assertSame(
            1,
            ChatPush\ackOfflineMessage(2000000001, array_column(getOfflineMessage(2000000001), 'id')),
        );
    }

    public function testApplicationMayChangeTheCounter(): void
    {
        $user = self::newUser();
        storeOfflineMessage(1, $user, 'x');
        Stack::database()->exec("UPDATE `user` SET `unread_count` = 0 WHERE `id` = $user");
        self::assertSame(0, getUnreadCount($user));
        storeOfflineMessage(1, $user, 'y');
        self::assertSame(1, getUnreadCount($user));
        ChatPush\clearUnreadCount($user);
        self::assertSame([0, 0], [getUnreadCount($user), self::unread($user)]);
    }

    /** Rows of other users stay. */
    public function testAcknowledgedRowsAreDeleted(): void
    {
        [$user, $other] = [self::newUser(), self::newUser()];
        foreach (['a', 'b', 'c'] as $text) {
            storeOfflineMessage(1, $user, $text);
            storeOfflineMessage(1, $other, $text);
        }
        $ids = array_column(getOfflineMessage($user), 'id');
        $foreign = array_column(getOfflineMessage($other), 'id');
        self::assertSame(2, ChatPush\ackOfflineMessage($user, [$ids[0], $ids[2], $foreign[1]]));
        self::assertSame([['b'], ['a', 'b', 'c']], [self::stored($user), self::stored($other)]);
        self::assertSame(0, ChatPush\ackOfflineMessage($user, [$ids[0]]));
        self::assertSame(0, ChatPush\ackOfflineMessage($user, []));
        self::assertSame(3, self::unread($user), 'deletion does not change the counter');
    }

    public function testConcurrentStoresAreCompleteAndOrdered(): void
    {
        $user = self::newUser();
        $code = 'for ($i = 0; $i < 100; $i++)
            storeOfflineMessage((int) $argv[1], (int) $argv[2], "$argv[1]:$i");';
        $children = [];
        foreach (range(1, 8) as $sender) {
            $arguments = [(string) $sender, (string) $user];
            $command = [PHP_BINARY, ...self::options(), '-r', $code, '--', ...$arguments];
            $children[] = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
            $outputs[] = $pipes[1];
        }
        self::assertSame(array_fill(0, 8, ''), array_map('stream_get_contents', $outputs));
        self::assertSame(array_fill(0, 8, 0), array_map('proc_close', $children));
        $stored = self::stored($user);
        self::assertSame([800, 800], [count($stored), self::unread($user)]);
        foreach (range(1, 8) as $sender) {
            $own = array_values(
                array_filter($stored, fn (string $text) => str_starts_with($text, "$sender:")),
            );
            self::assertSame(
                array_map(fn (int $i) => "$sender:$i", range(0, 99)),
                $own,
                'in order, each once',
            );
        }
    }

    /** It is queued, and stored after the transaction ends. */
    public function testStoreTimesOutWhileTheUserRowIsLocked(): void
    {
        $user = self::newUser();
        ini_set('chatpush.timeout_ms', '1500');
        Stack::database()->beginTransaction();
        Stack::database()->exec("UPDATE `user` SET `unread_count` = 5 WHERE `id` = $user");
        try {
            $thrown = self::expectThrown(
                ChatPush\TimeoutException::class,
                fn () => storeOfflineMessage(1, $user, 'x'),
            );
        } finally {
            Stack::database()->commit();
        }
        self::assertStringContainsString('is queued and will be stored', $thrown->getMessage());
        eventually('the row is stored', fn () => self::stored($user) === ['x']);
        self::assertSame(6, self::unread($user));
    }
}
