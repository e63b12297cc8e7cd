<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** What a failed call says of its effect: by its exception, or its result and a warning. */
final class OutcomeTest extends ChatPushTestCase
{
    /** The calls that no daemon need answer. */
    private const WITHOUT_DAEMON = [
        'push', 'push a row', 'push to many', 'is online', 'online users', 'push to a room', 'push to all',
        'room users', 'disconnect',
    ];

    public function testNothingIsQueuedWithoutRedis(): void
    {
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        ini_set('chatpush.timeout_ms', '300');
        foreach (self::calls() as $name => $call) {
            self::assertOutcome(ChatPush\ConnectionException::class, Outcome::NotQueued, true, $call, $name);
        }
    }

    public function testNothingIsQueuedWithoutADaemon(): void
    {
        self::unservedPrefix();
        foreach (self::calls() as $name => $call) {
            if (!in_array($name, self::WITHOUT_DAEMON, true)) {
                $class = ChatPush\UnavailableException::class;
                self::assertOutcome($class, Outcome::NotQueued, true, $call, $name);
            }
        }
    }

    /** It would not see the conversation, and the message would lose it. */
    public function testADaemonThatCannotReadTheEntryIsNamed(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $record = Stack::redis()->call('GET', "$prefix:installation");
        $older = preg_replace('/"entries":\d+/', '"entries":1', $record);
        Stack::redis()->call('SET', "$prefix:installation", $older);
        $send = fn () => ChatPush\sendMessage(1, 2, 'x', conversation: 'team');
        $class = ChatPush\UnavailableException::class;
        self::assertOutcome($class, Outcome::NotQueued, true, $send, 'send');
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(1, 2, 'x'));
        // It was upgraded.
        Stack::redis()->call('SET', "$prefix:installation", $record);
        self::assertSame(Delivery::Stored, $send());
    }

    public function testInvalidSettingDoesNotPass(): void
    {
        $code = <<<'PHP'
            try {
                storeOfflineMessage(1, 2, 'x');
            } catch (ChatPush\Exception $e) {
                echo $e->getOutcome()->value, ' ', var_export($e->isRetryable(), true);
            }
            PHP;
        $script = new Script($code, ['chatpush.durability' => 'perhaps']);
        self::assertStringEndsWith('not_queued false', $script->output);
    }

    /** A daemon is subscribed and never answers. */
    public function testAcceptedChangesAreQueued(): void
    {
        $silent = self::silentDaemon();
        foreach (self::calls() as $name => $call) {
            if (!in_array($name, self::WITHOUT_DAEMON, true)) {
                $query = in_array($name, ['rows', 'unread'], true);
                $outcome = $query ? Outcome::NotQueued : Outcome::Queued;
                $class = ChatPush\TimeoutException::class;
                self::assertOutcome($class, $outcome, $query, $call, $name);
            }
        }
        unset($silent);
    }

    /** A repeated call may do it twice, unless it has an id or does the same again. */
    public function testOutcomeIsUnknownWhenRedisHangs(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        $known = [
            'push' => [Outcome::Unknown, false],
            'push a row' => [Outcome::Unknown, true],
            'store' => [Outcome::Unknown, false],
            'send' => [Outcome::Unknown, false],
            'send with an id' => [Outcome::Unknown, true],
            'send to many' => [Outcome::Unknown, false],
            'send to many with an id' => [Outcome::Unknown, true],
            'rows' => [Outcome::NotQueued, true],
            'unread' => [Outcome::NotQueued, true],
            'is online' => [Outcome::NotQueued, true],
            'push to many' => [Outcome::Unknown, false],
            'online users' => [Outcome::NotQueued, true],
            'push to a room' => [Outcome::Unknown, false],
            'push to all' => [Outcome::Unknown, false],
            'room users' => [Outcome::NotQueued, true],
            'disconnect' => [Outcome::Unknown, true],
            'clear' => [Outcome::Unknown, false],
            'ack' => [Outcome::Unknown, false],
            'recall' => [Outcome::Unknown, true],
            'forget' => [Outcome::Unknown, true],
        ];
        foreach (self::calls() as $name => $call) {
            ini_set('chatpush.timeout_ms', '15000');
            self::openConnection();
            ini_set('chatpush.timeout_ms', '50');
            [$outcome, $retryable] = $known[$name];
            $check = fn () => self::assertOutcome(
                ChatPush\TimeoutException::class,
                $outcome,
                $retryable,
                $call,
                $name,
            );
            $server->whileItHangs($check);
        }
    }

    public function testWarningsReturnWhatIsKnown(): void
    {
        $silent = self::silentDaemon();
        ini_set('chatpush.errors', 'warning');
        self::assertWarning(true, 'is queued and will be stored', fn () => storeOfflineMessage(1, 2, 'x'));
        self::assertWarning(Delivery::Stored, 'is queued', fn () => ChatPush\sendMessage(1, 2, 'x'));
        $send = fn () => ChatPush\sendMessage(1, 2, 'x', message_id: 'id');
        self::assertWarning(Delivery::Stored, 'is queued', $send);
        $both = [2 => Delivery::Stored, 66 => Delivery::Stored];
        self::assertWarning($both, 'is queued', fn () => ChatPush\sendToUsers(1, [2, 66], 'x'));
        self::assertWarning([], 'did not answer', fn () => getOfflineMessage(2));
        self::assertWarning(0, 'did not answer', fn () => getUnreadCount(2));
        self::assertWarning(0, 'is queued', fn () => ChatPush\ackOfflineMessage(2, [1]));
        self::assertWarning(null, 'is queued', fn () => ChatPush\clearUnreadCount(2));
        self::assertWarning(false, 'is queued', fn () => ChatPush\recallMessage(1, 2, 'id'));
        unset($silent);
        self::unservedPrefix();
        self::assertWarning(false, 'no chatpushd', fn () => storeOfflineMessage(1, 2, 'x'));
        self::assertWarning(null, 'no chatpushd', fn () => ChatPush\sendMessage(1, 2, 'x'));
        self::assertWarning([], 'no chatpushd', fn () => ChatPush\sendToUsers(1, [2, 3], 'x'));
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        self::assertWarning(false, 'cannot be reached', fn () => pushMessage(1, 'x', 'y'));
        self::assertWarning(false, 'cannot be reached', fn () => ChatPush\isOnline(1));
        self::assertWarning(false, 'cannot be reached', fn () => ChatPush\disconnectUser(1));
        self::assertWarning('', 'chatpush.secret is not set', fn () => ChatPush\connectToken(1));
    }

    public function testWarningsDoNotClaimWhatIsUnknown(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        ini_set('chatpush.errors', 'warning');
        foreach ([false, null] as $i => $result) {
            ini_set('chatpush.timeout_ms', '15000');
            self::openConnection();
            ini_set('chatpush.timeout_ms', '50');
            $calls = [fn () => storeOfflineMessage(1, 2, 'x'), fn () => ChatPush\sendMessage(1, 2, 'x')];
            $check = fn () => self::assertWarning($result, 'outcome is unknown', $calls[$i]);
            $server->whileItHangs($check);
        }
    }

    /** @dataProvider redisErrors */
    public function testErrorsOfRedisThatPassAreRetryable(string $error, bool $retryable): void
    {
        $server = new AnsweringServer("-$error\r\n");
        ini_set('chatpush.redis_url', $server->url());
        ini_set('chatpush.timeout_ms', '3000');
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertSame($retryable, $thrown->isRetryable(), $thrown->getMessage());
    }

    public function redisErrors(): iterable
    {
        yield ["LOADING Redis is loading the dataset in memory", true];
        yield ["MISCONF Redis is configured to save RDB snapshots", true];
        yield ["NOPERM this user has no permissions", false];
        yield ["ERR unknown command", false];
    }

    /** A NUL in a text would end it in C, and ext-php-rs threw a plain Error for it. */
    public function testErrorTextMayHaveANul(): void
    {
        $server = new AnsweringServer("-ERR before\0behind\r\n");
        ini_set('chatpush.redis_url', $server->url());
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertStringContainsString('before\0behind', $thrown->getMessage());
        self::assertFalse(@ini_set('chatpush.prefix', "be\0hind"), 'a setting cannot have one');
    }

    /** It neither came from a call nor claims anything. */
    public function testExceptionsOfTheApplication(): void
    {
        $own = new class ('mine', 5) extends ChatPush\TimeoutException {
            protected string $outcome = 'a property of its own';
        };
        self::assertSame([Outcome::Unknown, false], [$own->getOutcome(), $own->isRetryable()]);
        self::assertSame(['mine', 5], [$own->getMessage(), $own->getCode()]);
        self::expectThrown(ArgumentCountError::class, fn () => $own->getOutcome(1));
    }

    public function testExceptionsCanBeSerialized(): void
    {
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        $code = 'try { pushMessage(1, "x", "y"); } catch (Exception $e) { echo serialize($e); }';
        $settings = ['chatpush.redis_url' => 'unix:///nowhere/redis.sock'];
        $thrown = unserialize((new Script($code, $settings))->output);
        self::assertSame([Outcome::NotQueued, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
    }

    public function testEnumsAreBacked(): void
    {
        self::assertSame(['live', 'stored'], array_column(Delivery::cases(), 'value'));
        self::assertSame(['not_queued', 'queued', 'unknown'], array_column(Outcome::cases(), 'value'));
        self::assertSame('["live","unknown"]', json_encode([Delivery::Live, Outcome::Unknown]));
        self::assertSame(Delivery::Stored, Delivery::from('stored'));
        self::assertNull(Outcome::tryFrom('lost'));
        self::assertSame(Delivery::Live, unserialize(serialize(Delivery::Live)));
    }

    private static function calls(): array
    {
        return [
            'push' => fn () => pushMessage(2, 'x', 'y'),
            'push a row' => fn () => pushMessage(2, 'x', 'y', 'id'),
            'store' => fn () => storeOfflineMessage(1, 2, 'x'),
            'send' => fn () => ChatPush\sendMessage(1, 2, 'x'),
            'send with an id' => fn () => ChatPush\sendMessage(1, 2, 'x', 'text', 'id'),
            'send to many' => fn () => ChatPush\sendToUsers(1, [2, 66], 'x'),
            'send to many with an id' => fn () => ChatPush\sendToUsers(1, [2, 66], 'x', 'text', 'id'),
            'rows' => fn () => getOfflineMessage(2),
            'unread' => fn () => getUnreadCount(2),
            'is online' => fn () => ChatPush\isOnline(2),
            'push to many' => fn () => ChatPush\pushToUsers([2, 3], 'x', 'y'),
            'online users' => fn () => ChatPush\getOnlineUsers([2, 3]),
            'push to a room' => fn () => ChatPush\pushToRoom('a', 'x', 'y'),
            'push to all' => fn () => ChatPush\pushToAll('x', 'y'),
            'room users' => fn () => ChatPush\getRoomUsers('a'),
            'disconnect' => fn () => ChatPush\disconnectUser(2),
            'clear' => fn () => ChatPush\clearUnreadCount(2),
            'ack' => fn () => ChatPush\ackOfflineMessage(2, [1]),
            'forget' => fn () => ChatPush\forgetUser(2),
            'recall' => fn () => ChatPush\recallMessage(1, 2, 'id'),
        ];
    }

    /** It subscribes as a daemon does, and never answers. */
    private static function silentDaemon(): RedisConnection
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.timeout_ms', '150');
        $silent = new RedisConnection(Stack::redisUrl());
        $silent->subscribe(str_replace(':log', ':daemons', self::log($prefix, 2)));
        return $silent;
    }

    /** Opens a connection that knows the installation. */
    private static function openConnection(): void
    {
        try {
            @getUnreadCount(1);
        } catch (ChatPush\UnavailableException) {
            // No daemon runs.
        }
    }

    private static function assertOutcome(
        string $class,
        Outcome $outcome,
        bool $retryable,
        callable $call,
        string $name,
    ): void {
        $thrown = self::expectThrown($class, $call);
        self::assertSame($outcome, $thrown->getOutcome(), "$name: {$thrown->getMessage()}");
        self::assertSame($retryable, $thrown->isRetryable(), "$name: {$thrown->getMessage()}");
    }

    /** Expects one warning with a text, and the result. */
    private static function assertWarning(mixed $result, string $text, callable $call): void
    {
        $seen = [];
        set_error_handler(function (int $level, string $text) use (&$seen) {
            $seen[] = [$level, $text];
            return true;
        });
        try {
            self::assertSame($result, $call());
        } finally {
            restore_error_handler();
        }
        self::assertCount(1, $seen);
        self::assertSame(E_WARNING, $seen[0][0]);
        self::assertStringContainsString($text, $seen[0][1]);
    }
}
