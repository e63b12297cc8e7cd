<?php

declare(strict_types=1);

/** The functions in PHP-FPM, through nginx, with the settings of the pool. */
final class FpmTest extends ChatPushTestCase
{
    public function testAllFunctionsWorkUnderFpm(): void
    {
        $user = self::newUser();
        self::assertFalse(self::call('pushMessage', $user, 'x', 'text'));
        self::assertFalse(self::call('ChatPush\isOnline', $user));
        self::assertTrue(self::call('storeOfflineMessage', 1, $user, 'by web'));
        self::assertSame(['by web'], self::stored($user));
        self::assertSame(1, self::call('getUnreadCount', $user));
        $rows = self::call('getOfflineMessage', $user);
        self::assertSame('by web', $rows[0]['content']);
        self::assertNull(self::call('ChatPush\clearUnreadCount', $user));
        self::assertSame(0, self::unread($user));
        self::assertSame(1, self::call('ChatPush\ackOfflineMessage', $user, [$rows[0]['id']]));
        self::assertSame([], self::call('getOfflineMessage', $user));
        self::assertStringStartsWith(
            'ValueError: pushMessage(): Argument #1',
            self::call('pushMessage', 0, 'x', 'text'),
        );
    }

    public function testTokenFromFpmOpensAWebSocket(): void
    {
        $user = self::newUser();
        $socket = new WebSocket(self::call('ChatPush\connectToken', $user));
        self::assertStringContainsString(' 101 ', $socket->status);
        self::assertSame([[], 0], $socket->untilUnreadCount());
        self::assertTrue(self::call('pushMessage', $user, 'by web', 'text'));
        self::assertSame('by web', $socket->message()['data']);
    }

    public function testEachWorkerKeepsOneConnection(): void
    {
        $processes = [];
        eventually('every worker has been used', function () use (&$processes) {
            $processes[self::get('pushMessage', [1, 'x', 'text'])['process']] = true;
            return count($processes) === 4;
        });
        $before = self::workerConnections(array_keys($processes));
        for ($i = 0; $i < 100; $i++) {
            self::call('getUnreadCount', 1);
        }
        self::assertSame(
            $before,
            self::workerConnections(array_keys($processes)),
            'no connection was opened or closed',
        );
    }

    public function testExitClearsFetchedRowsForTheNextRequest(): void
    {
        $user = self::newUser();
        storeOfflineMessage(1, $user, 'remember me');
        $socket = new WebSocket(self::call('ChatPush\connectToken', $user));
        $socket->untilUnreadCount();
        $workers = [];
        // Each worker has fetched the row in a request that ends with exit().
        eventually('every worker has been used', function () use (&$workers, $user) {
            $workers[self::get('getOfflineMessage', [$user], '&exit=1')['process']] = true;
            return count($workers) === 4;
        });
        self::assertTrue(self::call('pushMessage', $user, 'remember me', 'text'));
        $message = $socket->message();
        self::assertArrayNotHasKey(
            'offline',
            $message,
            'it is a new message, not the row that an earlier request fetched',
        );
    }

    public function testPhpinfoMasksTheSecretAndShowsTheConnection(): void
    {
        $page = file_get_contents(Stack::httpUrl() . '/info.php');
        self::assertStringContainsString('chatpush.secret', $page);
        self::assertStringNotContainsString(Stack::secret(), $page);
        self::assertMatchesRegularExpression(
            '~connection\s*</td><td class="v">(none|open to unix://\S+)~',
            $page,
        );
    }

    private static function call(string $function, mixed ...$arguments): mixed
    {
        return self::get($function, $arguments)['result'];
    }

    private static function get(string $function, array $arguments, string $more = ''): array
    {
        $query = http_build_query(['function' => $function, 'arguments' => json_encode($arguments)]);
        $context = stream_context_create(['http' => ['ignore_errors' => true, 'timeout' => 20]]);
        $body = file_get_contents(Stack::httpUrl() . "/call.php?$query$more", false, $context);
        return json_decode($body, true) ?? self::fail($body);
    }

    /** The connections of the workers and of this process. */
    private static function workerConnections(array $processes): array
    {
        ChatPush\isOnline(1);
        $ids = Stack::redis()->connectionsOfExtension();
        self::assertCount(count($processes) + 1, $ids, 'one for each worker, and one of this process');
        sort($ids);
        return $ids;
    }
}
