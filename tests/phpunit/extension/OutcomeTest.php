<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** What a failed call says of its effect: by its exception, or its result and a warning. */
final class OutcomeTest extends ChatPushTestCase
{
    /** The functions that no daemon need answer. */
    private const WITHOUT_DAEMON = [
        'ChatPush\pushMessage', 'ChatPush\pushMessage with an id', 'ChatPush\pushToUsers', 'ChatPush\isOnline',
        'ChatPush\getOnlineUsers', 'ChatPush\pushToRoom', 'ChatPush\pushToAll', 'ChatPush\getRoomUsers',
        'ChatPush\disconnectUser',
    ];

    /** The functions that change nothing. A lease of users who are due ends by itself. */
    private const READS = [
        'ChatPush\getOfflineMessage', 'ChatPush\getUnreadCount', 'ChatPush\getUnreadCounts', 'ChatPush\isOnline',
        'ChatPush\getOnlineUsers', 'ChatPush\getRoomUsers', 'ChatPush\getDueNotifications',
    ];

    /** What a daemon changes when it is asked to, and again without harm. */
    private const WRITES_OF_QUERIES = [
        'ChatPush\markNotified',
        'ChatPush\removePushSubscription',
        'ChatPush\savePushSubscription',
    ];

    public function testNothingIsQueuedWithoutRedis(): void
    {
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        ini_set('chatpush.timeout_ms', '300');
        foreach (ExtensionFunctions::calls() as $name => $call) {
            self::assertOutcome(ChatPush\ConnectionException::class, Outcome::NotQueued, true, $call, $name);
        }
    }

    public function testNothingIsQueuedWithoutADaemon(): void
    {
        self::unservedPrefix();
        foreach (ExtensionFunctions::calls() as $name => $call) {
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
        foreach (ExtensionFunctions::calls() as $name => $call) {
            if (!in_array($name, self::WITHOUT_DAEMON, true)) {
                [$outcome, $retryable] = match (true) {
                    in_array($name, self::READS, true) => [Outcome::NotQueued, true],
                    in_array($name, self::WRITES_OF_QUERIES, true) => [Outcome::Unknown, true],
                    default => [Outcome::Queued, false],
                };
                self::assertOutcome(ChatPush\TimeoutException::class, $outcome, $retryable, $call, $name);
            }
        }
        unset($silent);
    }

    /** A repeated call may do it twice, unless it has an id or does the same again. */
    public function testOutcomeIsUnknownWhenRedisHangs(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        // Those that a repeated call cannot do twice.
        $repeatable = [
            ...self::READS,
            ...self::WRITES_OF_QUERIES,
            'ChatPush\pushMessage with an id',
            'ChatPush\sendMessage with an id',
            'ChatPush\sendToUsers with an id',
            'ChatPush\disconnectUser',
            'ChatPush\recallMessage',
            'ChatPush\forgetUser',
        ];
        foreach (ExtensionFunctions::calls() as $name => $call) {
            ini_set('chatpush.timeout_ms', '15000');
            self::openConnection();
            ini_set('chatpush.timeout_ms', '50');
            $outcome = in_array($name, self::READS, true) ? Outcome::NotQueued : Outcome::Unknown;
            $retryable = in_array($name, $repeatable, true);
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

    public static function redisErrors(): iterable
    {
        yield ["LOADING Redis is loading the dataset in memory", true];
        yield ["MISCONF Redis is configured to save RDB snapshots", true];
        yield ["NOPERM this user has no permissions", false];
        yield ["ERR unknown command", false];
    }

    /** Redis 7.0 says it in other words than later versions. */
    public function testPermissionMissingInAScriptIsNamed(): void
    {
        $words = [
            "The user executing the script can't run this command",
            'ACL failure in script: User a has no permissions',
        ];
        foreach ($words as $refusal) {
            $server = new AnsweringServer("-ERR $refusal script: 28e6, on @user_script:1.\r\n");
            ini_set('chatpush.redis_url', $server->url());
            $thrown = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
            self::assertStringContainsString('denies a permission', $thrown->getMessage());
        }
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

    /** It subscribes as a daemon does, and never answers. */
    private static function silentDaemon(): RedisConnection
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.timeout_ms', '150');
        $silent = new RedisConnection(Stack::redisUrl());
        foreach (range(0, 63) as $user) {
            $silent->subscribe(str_replace(':log', ':daemons', self::log($prefix, $user)));
        }
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
