<?php

declare(strict_types=1);

/** Each process opens one connection with its first call, keeps it, and replaces it when it breaks. */
final class ConnectionTest extends ChatPushTestCase
{
    public function testFirstCallConnectsAndAllCallsShareTheConnection(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        $redis = new RedisConnection($server->url());
        self::assertSame([], $redis->connectionsOfExtension());
        for ($i = 0; $i < 20; $i++) {
            self::assertFalse(pushMessage(1, 'x', 'y'));
            self::assertFalse(ChatPush\isOnline(1));
        }
        self::assertCount(1, $redis->connectionsOfExtension());
        self::assertSame(
            1,
            preg_match('/total_connections_received:(\d+)/', $redis->call('INFO', 'stats'), $found),
        );
        // Of this test, two of RedisServer's start, and of the extension.
        self::assertSame(4, (int) $found[1]);
    }

    public function testClosedConnectionIsReplaced(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        $redis = new RedisConnection($server->url());
        pushMessage(1, 'x', 'y');
        [$first] = $redis->connectionsOfExtension();
        self::assertSame(1, $redis->call('CLIENT', 'KILL', 'ID', $first));
        self::assertFalse(pushMessage(1, 'x', 'y'), 'the call succeeds on a new connection');
        [$second] = $redis->connectionsOfExtension();
        self::assertNotSame($first, $second);
    }

    public function testRestartedRedisIsReconnected(): void
    {
        $port = RedisServer::freePort();
        $server = new RedisServer(['port' => (string) $port]);
        ini_set('chatpush.redis_url', "redis://127.0.0.1:$port");
        ini_set('chatpush.durability', 'queued');
        self::assertTrue(storeOfflineMessage(1, 2, 'x'));
        $server->stop();
        $server = new RedisServer(['port' => (string) $port]);
        self::assertTrue(storeOfflineMessage(1, 2, 'x'), 'the new server gets the Lua script again');
    }

    public function testForkedChildOpensItsOwnConnection(): void
    {
        $server = new RedisServer();
        $code = <<<'PHP'
            pushMessage(1, "x", "y");
            $children = [];
            for ($i = 0; $i < 4; $i++) {
                if (($pid = pcntl_fork()) === 0) {
                    for ($n = 0; $n < 50; $n++) if (pushMessage(1, "x", "y") !== false) exit(1);
                    exit(0);
                }
                $children[] = $pid;
            }
            for ($n = 0; $n < 50; $n++) if (pushMessage(1, "x", "y") !== false) exit(2);
            foreach ($children as $pid) { pcntl_waitpid($pid, $status); echo pcntl_wexitstatus($status); }
            PHP;
        $script = new Script($code, ['chatpush.redis_url' => $server->url()]);
        self::assertSame(['0000', 0], [$script->output, $script->code]);
        $stats = (new RedisConnection($server->url()))->call('INFO', 'stats');
        preg_match('/total_connections_received:(\d+)/', $stats, $found);
        // Of the parent, four children, two of RedisServer's start, and of this test.
        self::assertSame(8, (int) $found[1]);
    }

    public function testUnreachableRedisIsNotRetriedDuringTheBackoff(): void
    {
        ini_set('chatpush.timeout_ms', '200');
        // Nothing listens on this port.
        $port = RedisServer::freePort();
        ini_set('chatpush.redis_url', "redis://127.0.0.1:$port");
        $first = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertStringContainsString('cannot be reached', $first->getMessage());
        self::assertStringContainsString('chatpush.redis_url', $first->getMessage());
        $second = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertMatchesRegularExpression('/not tried again for \d+ ms/', $second->getMessage());
        $server = new RedisServer(['port' => (string) $port]);
        eventually('the backoff ends', function () {
            try {
                return pushMessage(1, 'x', 'y') === false;
            } catch (ChatPush\ConnectionException) {
                return false;
            }
        });
    }

    public function testPingSaysWhetherRedisCanBeUsedAndNeverThrows(): void
    {
        $port = RedisServer::freePort();
        ini_set('chatpush.redis_url', "redis://127.0.0.1:$port");
        ini_set('chatpush.timeout_ms', '300');
        self::assertFalse(ChatPush\ping(), 'nothing listens');
        $server = new RedisServer(['port' => (string) $port]);
        eventually('ping finds the server', fn () => ChatPush\ping());
        $redis = new RedisConnection($server->url());
        self::assertCount(1, $redis->connectionsOfExtension());
        ChatPush\ping();
        self::assertCount(1, $redis->connectionsOfExtension(), 'it uses the kept connection');
        self::assertFalse($server->whileItHangs(fn () => ChatPush\ping()), 'it hangs');
        eventually('ping finds the server again', fn () => ChatPush\ping());
        $redis->call('REPLICAOF', '127.0.0.1', (string) RedisServer::freePort());
        eventually('it is a replica', fn () => !ChatPush\ping());
        $script = new Script('echo json_encode(ChatPush\ping());', ['chatpush.redis_url' => 'redis://[']);
        self::assertStringEndsWith('false', $script->output, 'the setting is invalid');
    }

    public function testPingFindsRedisWithAnAccountThatMayNotEvenPing(): void
    {
        $server = new RedisServer();
        $redis = new RedisConnection($server->url());
        $redis->call('ACL', 'SETUSER', 'chat', 'on', '>s3same', 'resetkeys', 'resetchannels', '-@all');
        ini_set('chatpush.redis_url', "{$server->url()}?user=chat&pass=s3same");
        self::assertTrue(ChatPush\ping());
        ini_set('chatpush.redis_url', "{$server->url()}?user=chat&pass=other");
        self::assertFalse(ChatPush\ping(), 'the password is wrong');
    }

    public function testCloseEndsTheConnectionAndTheNextCallOpensAnother(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        $redis = new RedisConnection($server->url());
        ChatPush\close();
        self::assertSame([], $redis->connectionsOfExtension(), 'it opens none');
        pushMessage(1, 'x', 'y');
        [$first] = $redis->connectionsOfExtension();
        ChatPush\close();
        eventually('Redis sees the end', fn () => $redis->connectionsOfExtension() === []);
        self::assertFalse(pushMessage(1, 'x', 'y'));
        [$second] = $redis->connectionsOfExtension();
        self::assertNotSame($first, $second);
    }

    public function testCloseForgetsThatRedisCouldNotBeReached(): void
    {
        ini_set('chatpush.timeout_ms', '200');
        $port = RedisServer::freePort();
        ini_set('chatpush.redis_url', "redis://127.0.0.1:$port");
        self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        ChatPush\close();
        $again = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertStringNotContainsString('not tried again', $again->getMessage());
    }

    /** The server accepts the connection and never answers. */
    public function testConnectTimeoutBoundsEachLogin(): void
    {
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        ini_set('chatpush.redis_url', 'redis://' . stream_socket_get_name($silent, false));
        ini_set('chatpush.connect_timeout_ms', '100');
        ini_set('chatpush.timeout_ms', '1000');
        try {
            self::expectThrown(ChatPush\ConnectionException::class, fn () => getUnreadCount(1));
        } finally {
            ini_restore('chatpush.connect_timeout_ms');
        }
        self::assertIsResource(stream_socket_accept($silent, 0));
        self::assertIsResource(stream_socket_accept($silent, 0), 'the call tries again until its deadline');
    }

    /** The first call of a connection also logs in and reads the type of user ids, which takes most of its time here. */
    public function testWholeCallHasOneDeadline(): void
    {
        $server = new RedisServer();
        ini_set('chatpush.redis_url', $server->url());
        // It subscribes as a daemon does, and never answers.
        $silent = new RedisConnection($server->url());
        $silent->subscribe(Stack::prefix() . ':{' . self::tag(2) . '}:daemons');
        ini_set('chatpush.connect_timeout_ms', '60000');
        ini_set('chatpush.timeout_ms', '6000');
        try {
            (new RedisConnection($server->url()))->call('CLIENT', 'PAUSE', '4000', 'ALL');
            $began = hrtime(true);
            $thrown = self::expectThrown(
                ChatPush\TimeoutException::class,
                fn () => storeOfflineMessage(1, 2, 'x'),
            );
        } finally {
            ini_restore('chatpush.connect_timeout_ms');
        }
        self::assertSame(ChatPush\Outcome::Queued, $thrown->getOutcome(), $thrown->getMessage());
        // With a deadline for each part it would be ten seconds.
        self::assertLessThan(8.5e9, hrtime(true) - $began);
    }

    public function testServerThatIsNotRedisIsReported(): void
    {
        $web = parse_url(Stack::httpUrl());
        ini_set('chatpush.redis_url', "redis://{$web['host']}:{$web['port']}");
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, fn () => getUnreadCount(1));
        self::assertStringContainsString('not RESP', $thrown->getMessage());
    }

    public function testPasswordUserAndDatabaseInTheUrl(): void
    {
        $server = new RedisServer();
        $redis = new RedisConnection($server->url());
        $redis->call('ACL', 'SETUSER', 'chat', 'on', '>s3same', '~*', '&*', '+@all');
        $redis->call('CONFIG', 'SET', 'requirepass', 'def4ult');
        $port = RedisServer::freePort();
        $redis->call('CONFIG', 'SET', 'port', (string) $port);
        ini_set('chatpush.durability', 'queued');
        $urls = [
            "redis://chat:s3same@127.0.0.1:$port/3",
            "redis://:def4ult@127.0.0.1:$port/4",
            "{$server->url()}?user=chat&pass=s3same&db=5",
        ];
        foreach ($urls as $url) {
            ini_set('chatpush.redis_url', $url);
            self::assertTrue(storeOfflineMessage(1, 2, $url));
        }
        foreach ([3, 4, 5] as $database) {
            $redis->call('SELECT', $database);
            self::assertSame(1, $redis->call('XLEN', self::log('chatpush', 2)));
        }
        ini_set('chatpush.redis_url', "redis://chat:wrong@127.0.0.1:$port");
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertStringContainsString('WRONGPASS', $thrown->getMessage());
        self::assertStringNotContainsString('wrong@', $thrown->getMessage());
    }

    public function testMissingPermissionIsReported(): void
    {
        $server = new RedisServer();
        $redis = new RedisConnection($server->url());
        $redis->call('ACL', 'SETUSER', 'weak', 'on', '>pw', '~*', '&*', '+ping');
        ini_set('chatpush.redis_url', "{$server->url()}?user=weak&pass=pw");
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, fn () => pushMessage(1, 'x', 'y'));
        self::assertStringContainsString('NOPERM', $thrown->getMessage());
    }

    public function testTls(): void
    {
        $folder = sys_get_temp_dir() . '/chatpush-tls-' . bin2hex(random_bytes(4));
        mkdir($folder);
        $make = 'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost '
            . "-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' "
            . '-addext basicConstraints=critical,CA:FALSE -keyout %1$s/key.pem -out %1$s/cert.pem 2>&1';
        exec(sprintf($make, escapeshellarg($folder)), $output, $code);
        self::assertSame(0, $code, implode("\n", $output));
        $port = RedisServer::freePort();
        $server = new RedisServer([
            'tls-port' => (string) $port,
            'tls-cert-file' => "$folder/cert.pem",
            'tls-key-file' => "$folder/key.pem",
            'tls-ca-cert-file' => "$folder/cert.pem",
            'tls-auth-clients' => 'no',
        ]);
        // The server closes the connection between two calls; the second call must notice before it sends.
        $kill = "shell_exec('redis-cli -s {$server->socket} client kill type normal skipme yes');"
            . ' usleep(100000);';
        $code = "var_dump(pushMessage(1, 'x', 'y')); $kill var_dump(pushMessage(1, 'x', 'y'));";
        $url = ['chatpush.redis_url' => "rediss://127.0.0.1:$port"];
        putenv("SSL_CERT_FILE=$folder/cert.pem");
        try {
            $trusted = (new Script($code, $url))->output;
        } finally {
            putenv('SSL_CERT_FILE');
        }
        self::assertSame("bool(false)\nbool(false)\n", $trusted);
        self::assertMatchesRegularExpression(
            '/ConnectionException: .*certificate/i',
            (new Script($code, $url))->output,
        );
        array_map('unlink', glob("$folder/*"));
        rmdir($folder);
    }

    public function testExitDuringShutdownFunctionIsClean(): void
    {
        $code = 'getUnreadCount(1);
            register_shutdown_function(function () { getUnreadCount(2); exit(3); });
            exit(4);';
        $script = new Script($code, ['chatpush.prefix' => Stack::prefix()]);
        self::assertSame(['', 3], [$script->output, $script->code]);
    }
}
