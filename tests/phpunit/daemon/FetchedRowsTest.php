<?php

declare(strict_types=1);

/** Which pushes carry a fetched row: those of the very string that getOfflineMessage() returned. */
final class FetchedRowsTest extends ChatPushTestCase
{
    /** The same words in a worker that lives on: they are another message. */
    public function testEqualWordsAreAnotherMessage(): void
    {
        $user = self::userWithRows('ok');
        self::assertSame('ok', getOfflineMessage($user)[0]['content']);
        $socket = new WebSocket(self::token($user));
        [$flushed] = $socket->untilUnreadCount();
        self::assertTrue(pushMessage($user, 'ok', 'chat'));
        $shown = self::shown($socket, $user);
        self::assertSame(['ok'], array_column($shown, 'data'));
        self::assertNotSame($flushed[0]['id'], $shown[0]['id']);
        self::assertArrayNotHasKey('offline', $shown[0]);
    }

    public function testRepeatedPushAfterFalseIsShownOnce(): void
    {
        $user = self::userWithRows('hi');
        [$row] = getOfflineMessage($user);
        self::assertFalse(pushMessage($user, $row['content'], 'chat'));
        $socket = new WebSocket(self::token($user));
        [$flushed] = $socket->untilUnreadCount();
        self::assertSame(['hi'], array_column($flushed, 'data'));
        self::assertTrue(pushMessage($user, $row['content'], 'chat'));
        self::assertTrue(pushMessage($user, $row['content'], 'chat'));
        self::assertSame([], self::shown($socket, $user));
        eventually('the row is deleted', fn () => self::stored($user) === []);
    }

    public function testMoreThanAThousandRowsAreShownOnce(): void
    {
        $contents = array_map(fn (int $i) => "row $i", range(1, 1010));
        $user = self::userWithRows(...$contents);
        $rows = getOfflineMessage($user, 2000);
        $socket = new WebSocket(self::token($user));
        [$flushed] = $socket->untilUnreadCount();
        self::assertSame($contents, array_column($flushed, 'data'));
        // At most 512 frames may wait for a client that does not read.
        foreach (array_chunk($rows, 200) as $some) {
            foreach ($some as $row) {
                pushMessage($user, $row['content'], 'chat');
            }
            self::assertSame([], self::shown($socket, $user));
        }
    }

    /** @dataProvider survivors */
    public function testTheStringSurvives(string $content, Closure $way): void
    {
        $user = self::userWithRows('first', $content);
        $rows = getOfflineMessage($user);
        self::assertSame($rows[1]['message_id'], self::pushed($user, $way->call($this, $rows))['id']);
    }

    public static function survivors(): iterable
    {
        $ways = [
            'an index' => fn (array $rows) => $rows[1]['content'],
            'foreach' => function (array $rows) {
                foreach ($rows as $row) {
                    $last = $row['content'];
                }
                return $last;
            },
            'foreach by reference' => function (array $rows) {
                foreach ($rows as &$row) {
                    foreach ($row as &$column) {
                    }
                }
                return $row['content'];
            },
            'an array copy that is changed' => function (array $rows) {
                $copy = $rows;
                $copy[1]['shown'] = true;
                $copy[0]['content'] .= ' changed';
                return $copy[1]['content'];
            },
            'array_column' => fn (array $rows) => array_column($rows, 'content', 'id')[$rows[1]['id']],
            'a property' => function (array $rows) {
                $holder = new class {
                    public string $content;
                };
                $holder->content = $rows[1]['content'];
                return (clone $holder)->content;
            },
            'an object' => fn (array $rows) => ((object) $rows[1])->content,
            'a reference to it' => function (array $rows) {
                $reference = &$rows[1]['content'];
                return $reference;
            },
            'a trim that trims nothing' => fn (array $rows) => trim($rows[1]['content']),
            'a cast' => fn (array $rows) => (string) $rows[1]['content'],
            'a generator' => function (array $rows) {
                $generator = (fn () => yield from array_reverse($rows))();
                return $generator->current()['content'];
            },
        ];
        $contents = ['nothing' => '', 'one byte' => 'a', 'a digit' => '7', 'words' => 'hello there'];
        foreach ($contents as $name => $content) {
            foreach ($ways as $by => $way) {
                yield "$name by $by" => [$content, $way];
            }
        }
    }

    public function testChangedContentNeedsTheMessageId(): void
    {
        $user = self::userWithRows('1 < 2');
        [$row] = getOfflineMessage($user);
        $shown = htmlspecialchars($row['content']);
        $message = self::pushed($user, $shown);
        self::assertNotSame($row['message_id'], $message['id']);
        self::assertArrayNotHasKey('offline', $message);
        $message = self::pushed($user, $shown, $row['message_id']);
        self::assertSame(
            [$row['message_id'], '1 &lt; 2', 3, true],
            [$message['id'], $message['data'], $message['from'], $message['offline']],
        );
        $socket = new WebSocket(self::token($user));
        [$flushed] = $socket->untilUnreadCount();
        self::assertSame($flushed[0]['time'], $message['time'], 'the time of the row');
        self::assertTrue(pushMessage($user, $shown, 'chat', message_id: $row['message_id']));
        self::assertSame([], self::shown($socket, $user));
    }

    /** Nothing is known of the row but what its id says. */
    public function testMessageIdIsEnoughInAnotherRequest(): void
    {
        $user = self::userWithRows('generated');
        ChatPush\sendMessage(7, $user, 'chosen', message_id: 'h1');
        $ids = array_column(getOfflineMessage($user), 'message_id');
        self::assertSame('7:h1', $ids[1]);
        $socket = new WebSocket(self::token($user));
        [$flushed] = $socket->untilUnreadCount();
        $code = 'var_dump(pushMessage((int) $argv[1], "changed", "chat", $argv[2]));';
        foreach ($ids as $at => $id) {
            $subscriber = self::subscriber($user);
            $settings = ['chatpush.prefix' => Stack::prefix()];
            self::assertSame("bool(true)\n", (new Script($code, $settings, (string) $user, $id))->output);
            $message = self::frame($subscriber);
            self::assertSame([$id, true], [$message['id'], $message['offline']]);
            self::assertSame([null, 7][$at], $message['from'] ?? null);
            self::assertEqualsWithDelta($flushed[$at]['time'], $message['time'], 60_000);
        }
        self::assertSame([], self::shown($socket, $user));
    }

    public function testMessageIdMustBeOne(): void
    {
        foreach (['', "a\nb", 'é', "\xFF", str_repeat('x', 130)] as $id) {
            $push = fn () => pushMessage(1, 'x', 'chat', $id);
            self::assertSame(
                'pushMessage(): Argument #4 ($message_id) must be 1 to 129 printable ASCII bytes',
                self::expectThrown(ValueError::class, $push)->getMessage(),
            );
        }
    }

    public function testRowOfAnotherUserIsAnotherMessage(): void
    {
        $user = self::userWithRows('for one');
        [$row] = getOfflineMessage($user);
        $message = self::pushed($other = self::newUser(), $row['content']);
        self::assertNotSame($row['message_id'], $message['id']);
        // The id belongs to whom it is pushed to. What it says of the row of another user is not used.
        self::assertArrayNotHasKey('from', self::pushed($other, $row['content'], $row['message_id']));
        self::assertSame($row['message_id'], self::pushed($user, $row['content'])['id']);
    }

    /** As long as PHP holds the string, whatever was fetched in between. */
    public function testEarlierFetchesAreKnownWhilePhpHoldsTheirStrings(): void
    {
        $user = self::userWithRows('a', 'b');
        $contents = $ids = [];
        for ($i = 0; $i < 3; $i++) {
            $rows = getOfflineMessage($user);
            array_push($contents, ...array_column($rows, 'content'));
            array_push($ids, ...array_column($rows, 'message_id'));
            unset($rows);
        }
        $kept = $ids[3] . '';
        foreach ($contents as $i => $content) {
            self::assertSame($ids[$i], self::pushed($user, $content)['id']);
        }
        unset($contents, $content);
        getOfflineMessage($user);
        self::assertSame(3, self::pushed($user, 'changed', $kept)['from'], 'known by its id');
    }

    public function testReferencesAreReleasedAtTheNextFetch(): void
    {
        $user = self::userWithRows(...array_fill(0, 20, str_repeat('x', 60_000)));
        $fetch = fn () => count(getOfflineMessage($user));
        $fetch();
        $fetch();
        $before = memory_get_usage();
        for ($i = 0; $i < 50; $i++) {
            self::assertSame(20, $fetch());
        }
        self::assertLessThan(100_000, memory_get_usage() - $before);
        getOfflineMessage(self::newUser());
        self::assertLessThan($before - 1_000_000, memory_get_usage(), 'also by a fetch without rows');
    }

    public function testForkedProcessesPushTheRow(): void
    {
        $user = self::userWithRows('before the fork');
        $code = <<<'PHP'
            $user = (int) $argv[1];
            [$row] = getOfflineMessage($user);
            if (($child = pcntl_fork()) === 0) {
                exit(pushMessage($user, $row['content'], 'chat') ? 5 : 6);
            }
            pcntl_waitpid($child, $status);
            echo pcntl_wexitstatus($status), pushMessage($user, $row['content'], 'chat') ? 5 : 6;
            PHP;
        $subscriber = self::subscriber($user);
        $script = new Script($code, ['chatpush.prefix' => Stack::prefix()], (string) $user);
        self::assertSame(['55', 0], [$script->output, $script->code]);
        [$row] = getOfflineMessage($user);
        for ($i = 0; $i < 2; $i++) {
            self::assertSame($row['message_id'], self::frame($subscriber)['id']);
        }
    }

    /** The strings live until the end of the request, whatever ends it. */
    public function testRequestsMayEndInAnyWay(): void
    {
        $user = self::userWithRows(str_repeat('x', 60_000), 'y');
        $ends = [
            '' => ['', 0],
            'exit(3);' => ['', 3],
            'throw new Exception("gone");' => ['Uncaught Exception: gone', 255],
            'ini_set("memory_limit", "8M"); str_repeat("x", 1 << 30);' => ['Allowed memory size', 255],
            'ini_set("memory_limit", "2M"); while (true) $more[] = getOfflineMessage($user);'
                => ['Allowed memory size', 255],
        ];
        $code = <<<'PHP'
            $user = (int) $argv[1];
            final class Late
            {
                public function __construct(private int $user, private array $rows) {}
                public function __destruct() { pushMessage($this->user, $this->rows[0]["content"], "chat"); }
            }
            $late = new Late($user, getOfflineMessage($user));
            register_shutdown_function(fn () => getOfflineMessage($user));
            PHP;
        // Without the engine's own allocator, a string that is freed twice ends the process.
        foreach (['1', '0'] as $allocator) {
            putenv("USE_ZEND_ALLOC=$allocator");
            foreach ($ends as $end => [$output, $exit]) {
                // Only that allocator enforces memory_limit.
                if ($allocator === '0' && str_contains($end, 'memory_limit')) {
                    continue;
                }
                $script = new Script("$code\n$end", ['chatpush.prefix' => Stack::prefix()], (string) $user);
                self::assertStringContainsString($output, $script->output);
                self::assertSame($exit, $script->code, $script->output);
            }
        }
        putenv('USE_ZEND_ALLOC');
    }

    private static function userWithRows(string ...$contents): int
    {
        $user = self::newUser();
        ini_set('chatpush.durability', 'queued');
        foreach ($contents as $content) {
            self::assertTrue(storeOfflineMessage(3, $user, $content));
        }
        return $user;
    }

    /** Pushes to a user and returns the frame. */
    private static function pushed(int $user, string $content, ?string $messageId = null): array
    {
        $subscriber = self::subscriber($user);
        self::assertTrue(pushMessage($user, $content, 'chat', $messageId));
        $frame = self::frame($subscriber);
        self::assertSame($content, $frame['data']);
        return $frame;
    }

    private static function subscriber(int $user): RedisConnection
    {
        $subscriber = new RedisConnection(Stack::redisUrl());
        $subscriber->subscribe(self::channel(Stack::prefix(), $user));
        return $subscriber;
    }

    /** The frame in the next message on a user's channel. The first line of a tracked one is its id. */
    private static function frame(RedisConnection $subscriber): array
    {
        $message = $subscriber->message();
        return json_decode(substr($message, strpos($message, '{')), true, 512, JSON_THROW_ON_ERROR);
    }

    /** What the client is shown up to now. */
    private static function shown(WebSocket $socket, int $user): array
    {
        self::assertTrue(pushMessage($user, 'the end of the test', 'text'));
        $shown = [];
        while (($message = $socket->message())['data'] !== 'the end of the test') {
            $shown[] = $message;
        }
        return $shown;
    }
}
