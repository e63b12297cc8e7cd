<?php

declare(strict_types=1);

/** What Redis refuses: the exception names the cause and the fix, and says what became of the call. */
final class RefusalsTest extends ChatPushTestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        ini_set('chatpush.durability', 'queued');
        // Some refusals are tried again until the deadline.
        ini_set('chatpush.timeout_ms', '300');
    }

    /** @return array{RedisServer, RedisConnection} */
    private static function server(array $settings = []): array
    {
        $server = new RedisServer($settings);
        ini_set('chatpush.redis_url', $server->url());
        return [$server, new RedisConnection($server->url())];
    }

    /** The exception of a store. */
    private static function refusal(): Throwable
    {
        return self::expectThrown(
            ChatPush\ConnectionException::class,
            fn () => storeOfflineMessage(1, 2, 'x'),
        );
    }

    /** Stores until the exception has these parts: a deadline may also end within an answer. */
    private static function eventuallyRefused(string ...$parts): void
    {
        eventually('the exception says: ' . implode(', ', $parts), function () use ($parts) {
            try {
                storeOfflineMessage(1, 2, 'x');
                return false;
            } catch (ChatPush\ConnectionException | ChatPush\TimeoutException $thrown) {
                $missing = fn (string $part) => !str_contains($thrown->getMessage(), $part);
                return array_filter($parts, $missing) === [];
            }
        });
    }

    /** Expects that a store is refused, and that nothing was queued. */
    private static function assertRefused(RedisConnection $redis, string ...$parts): void
    {
        $thrown = self::refusal();
        foreach ([...$parts, 'nothing was queued'] as $part) {
            self::assertStringContainsString($part, $thrown->getMessage());
        }
        self::assertStringNotContainsString('cannot be reached', $thrown->getMessage());
        self::assertSame(0, $redis->call('XLEN', self::log(Stack::prefix(), 2)));
    }

    public function testMemoryIsFull(): void
    {
        [$server, $redis] = self::server();
        $redis->call('CONFIG', 'SET', 'maxmemory', '1');
        self::assertRefused($redis, 'has reached its maxmemory (OOM ', 'raise maxmemory');
        self::assertFalse(pushMessage(2, 'x', 'y'), 'a push needs no memory');
        $redis->call('CONFIG', 'SET', 'maxmemory', '0');
        self::assertTrue(storeOfflineMessage(1, 2, 'x'));
    }

    public function testSnapshotsFail(): void
    {
        $gone = sys_get_temp_dir() . '/chatpush-gone-' . bin2hex(random_bytes(4));
        mkdir($gone);
        [$server, $redis] = self::server(['dir' => $gone, 'save' => '3600 1']);
        rmdir($gone);
        $redis->call('BGSAVE');
        $failed = fn () => str_contains($redis->call('INFO', 'persistence'), 'rdb_last_bgsave_status:err');
        eventually('the snapshot fails', $failed);
        self::assertRefused($redis, 'cannot save its data to disk (MISCONF ', 'log of Redis');
    }

    public function testTooFewReplicas(): void
    {
        [$server, $redis] = self::server();
        $redis->call('CONFIG', 'SET', 'min-replicas-to-write', '1');
        self::assertRefused($redis, 'has fewer replicas than it needs (NOREPLICAS ', 'min-replicas-to-write');
    }

    public function testLoading(): void
    {
        [$full, $redis] = self::server();
        $full->addInstallation('other');
        for ($i = 0; $i < 1000; $i++) {
            $redis->call('SET', "key$i", random_bytes(1024));
        }
        $redis->call('SAVE');
        // It answers after each key, which takes 50 ms until the test has seen enough.
        $slowly = [
            'dir' => $full->folder,
            'key-load-delay' => '50000',
            'loading-process-events-interval-bytes' => '1024',
        ];
        [$server, $redis] = self::server($slowly);
        self::eventuallyRefused('is still loading its data (LOADING ', 'nothing was queued');
        self::eventuallyRefused('is still loading its data (LOADING ', 'not tried again for');
        self::assertStringContainsString('loading:1', $redis->call('INFO', 'persistence'));
        $redis->call('CONFIG', 'SET', 'key-load-delay', '1000');
        ini_set('chatpush.prefix', 'other');
        ini_set('chatpush.redis_url', "{$server->url()}?db=1");
        ini_set('chatpush.timeout_ms', '60000');
        self::assertTrue(storeOfflineMessage(1, 2, 'x'), 'it is tried again until the data is loaded');
    }

    public function testBusyScript(): void
    {
        [$server, $redis] = self::server(['busy-reply-threshold' => '1']);
        $other = new RedisConnection($server->url());
        $other->send('EVAL', 'while true do end', 0);
        eventually('Redis is busy', function () use ($redis) {
            try {
                $redis->call('PING');
                return false;
            } catch (RuntimeException $busy) {
                return str_contains($busy->getMessage(), 'BUSY');
            }
        });
        self::eventuallyRefused('is blocked by a script (BUSY ', 'nothing was queued');
        $redis->call('SCRIPT', 'KILL');
        eventually('it is tried again', function () {
            try {
                return storeOfflineMessage(1, 2, 'x');
            } catch (ChatPush\ConnectionException) {
                return false;
            }
        });
        self::assertSame(1, $redis->call('XLEN', self::log(Stack::prefix(), 2)));
    }

    /** A replica takes subscriptions and pushes, but no daemon is there: `isOnline()` would be wrong. */
    public function testReplica(): void
    {
        [$server, $redis] = self::server();
        self::assertFalse(ChatPush\isOnline(2));
        $redis->call('REPLICAOF', '127.0.0.1', (string) RedisServer::freePort());
        self::assertRefused($redis, 'is a replica (', 'must lead to the master');
        eventually('it is a master again', function () use ($redis) {
            $redis->call('REPLICAOF', 'NO', 'ONE');
            try {
                return ChatPush\isOnline(2) === false;
            } catch (ChatPush\ConnectionException) {
                return false;
            }
        });
        $redis->call('REPLICAOF', '127.0.0.1', (string) RedisServer::freePort());
        eventually('the open connection is found to be to a replica', function () {
            try {
                return ChatPush\isOnline(2);
            } catch (ChatPush\ConnectionException $thrown) {
                return str_contains($thrown->getMessage(), 'is a replica (HELLO says role: replica)');
            }
        });
        // Each of these says who is there. A new process is told at once.
        $settings = ['chatpush.redis_url' => $server->url(), 'chatpush.timeout_ms' => '300'];
        foreach (self::LIVE_CALLS as $call) {
            $call = "try { $call; echo 'answered'; } catch (ChatPush\Exception \$e) {
                echo get_class(\$e), ' ', \$e->getOutcome()->name, ' ', \$e->getMessage();
            }";
            $expected = 'ChatPush\ConnectionException NotQueued Redis at ';
            $script = new Script($call, $settings);
            self::assertStringStartsWith($expected, $script->output);
            self::assertStringContainsString('is a replica (HELLO says role: replica)', $script->output);
        }
    }

    /** A connection that stays open is asked for its role each second. @dataProvider liveCalls */
    public function testOpenConnectionToReplica(string $call): void
    {
        [$server, $redis] = self::server();
        self::assertFalse(ChatPush\isOnline(2));
        $redis->call('REPLICAOF', '127.0.0.1', (string) RedisServer::freePort());
        $thrown = null;
        eventually('it is found to be to a replica', function () use ($call, &$thrown) {
            try {
                eval("$call;");
                return false;
            } catch (ChatPush\Exception $thrown) {
                return true;
            }
        });
        self::assertInstanceOf(ChatPush\ConnectionException::class, $thrown);
        self::assertSame(ChatPush\Outcome::NotQueued, $thrown->getOutcome());
        self::assertStringContainsString('is a replica (HELLO says role: replica)', $thrown->getMessage());
    }

    private const LIVE_CALLS = [
        'ChatPush\isOnline(2)',
        'ChatPush\getOnlineUsers([2])',
        "pushMessage(2, 'x', 'y')",
        "ChatPush\pushToUsers([2], 'x', 'y')",
        "ChatPush\pushToRoom('a', 'x', 'y')",
        "ChatPush\pushToAll('x', 'y')",
        "ChatPush\getRoomUsers('a')",
    ];

    public static function liveCalls(): array
    {
        return array_combine(self::LIVE_CALLS, array_map(fn (string $call) => [$call], self::LIVE_CALLS));
    }

    public function testPasswordIsMissing(): void
    {
        [$server, $redis] = self::server();
        $redis->call('CONFIG', 'SET', 'requirepass', 'pw');
        $redis->call('AUTH', 'pw');
        self::assertRefused($redis, 'needs a password (NOAUTH ', 'redis://:password@host');
    }

    public function testPasswordIsTooMuch(): void
    {
        [$server, $redis] = self::server();
        ini_set('chatpush.redis_url', "{$server->url()}?pass=pw");
        self::assertRefused($redis, 'has no password, but one was given (ERR AUTH ', 'take the password out');
    }

    public function testPasswordIsWrong(): void
    {
        [$server, $redis] = self::server();
        ini_set('chatpush.redis_url', "{$server->url()}?user=me&pass=pw");
        self::assertRefused($redis, 'refuses the user name or the password (WRONGPASS ', 'percent-encoded');
    }

    public function testDatabaseDoesNotExist(): void
    {
        [$server, $redis] = self::server();
        ini_set('chatpush.redis_url', "{$server->url()}?db=16");
        self::assertRefused($redis, 'does not have this database (ERR DB index', 'databases');
    }

    public function testNoConnectionIsFree(): void
    {
        [$server, $redis] = self::server();
        $redis->call('CONFIG', 'SET', 'maxclients', '1');
        self::assertRefused($redis, 'takes no more connections (ERR max number of clients', 'maxclients');
    }

    public function testCluster(): void
    {
        $port = (string) RedisServer::freePort();
        [$server, $redis] = self::server(['cluster-enabled' => 'yes', 'port' => $port]);
        $thrown = self::refusal();
        self::assertStringContainsString('is a cluster (CLUSTERDOWN ', $thrown->getMessage());
        self::assertStringContainsString('nothing was queued', $thrown->getMessage());
    }

    public function testSentinel(): void
    {
        $folder = sys_get_temp_dir() . '/chatpush-sentinel-' . bin2hex(random_bytes(4));
        mkdir($folder);
        $port = RedisServer::freePort();
        $monitor = "sentinel monitor main 127.0.0.1 $port 1";
        file_put_contents("$folder/conf", "port $port\ndir $folder\n$monitor\n");
        $out = ['file', "$folder/log", 'a'];
        $command = ['redis-server', "$folder/conf", '--sentinel'];
        $sentinel = proc_open($command, [['file', '/dev/null', 'r'], $out, $out], $pipes);
        try {
            eventually('it listens', fn () => @stream_socket_client("tcp://127.0.0.1:$port") !== false);
            ini_set('chatpush.redis_url', "redis://127.0.0.1:$port");
            $thrown = self::refusal();
            self::assertStringContainsString('is a Sentinel', $thrown->getMessage());
        } finally {
            proc_terminate($sentinel, 9);
            proc_close($sentinel);
            array_map('unlink', glob("$folder/*"));
            rmdir($folder);
        }
    }

    /** The script ran, so the message is not lost: it must not be sent again. */
    public function testSubscriptionToTheAnswerIsDenied(): void
    {
        [$server, $redis] = self::server();
        $redis->call('ACL', 'SETUSER', 'chat', 'on', '>pw', '~*', '&*', '+@all', '-ssubscribe');
        $redis->subscribe(str_replace(':log', ':daemons', self::log(Stack::prefix(), 2)));
        ini_set('chatpush.redis_url', "{$server->url()}?user=chat&pass=pw");
        ini_set('chatpush.durability', 'committed');
        $thrown = self::refusal();
        self::assertStringContainsString('does not let this account receive answers', $thrown->getMessage());
        self::assertStringContainsString('is queued and will be done once', $thrown->getMessage());
        self::assertStringNotContainsString('committed in time', $thrown->getMessage());
        $redis = new RedisConnection($server->url());
        self::assertSame(1, $redis->call('XLEN', self::log(Stack::prefix(), 2)));
    }

    /** The script stopped half-way. */
    public function testPermissionIsMissingInAScript(): void
    {
        [$server, $redis] = self::server();
        $redis->call('ACL', 'SETUSER', 'chat', 'on', '>pw', '~*', '&*', '+@all', '-xadd', '-del');
        ini_set('chatpush.redis_url', "{$server->url()}?user=chat&pass=pw");
        $thrown = self::refusal();
        self::assertStringContainsString('denies a permission (', $thrown->getMessage());
        self::assertStringContainsString('the outcome is unknown; docs/operations.md', $thrown->getMessage());
    }

    public function testKeyBelongsToAnotherApplication(): void
    {
        [$server, $redis] = self::server();
        $redis->call('SET', self::log(Stack::prefix(), 2), 'x');
        $thrown = self::refusal();
        self::assertStringContainsString('give chatpush another prefix', $thrown->getMessage());
    }
}
