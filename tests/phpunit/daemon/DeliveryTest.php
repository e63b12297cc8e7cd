<?php

declare(strict_types=1);

/** Messages from a call to a client, and the deletion of their rows. */
final class DeliveryTest extends ChatPushTestCase
{
    public function testPushReachesAllDevices(): void
    {
        $user = self::newUser();
        self::assertFalse(pushMessage($user, 'early', 'text'));
        [$first, $second] = [self::connect($user), self::connect($user)];
        self::assertTrue(ChatPush\isOnline($user));
        self::assertTrue(pushMessage($user, 'hello', 7));
        foreach ([$first, $second] as $device) {
            $message = $device->message();
            self::assertSame(['hello', 7], [$message['data'], $message['type']]);
            self::assertArrayNotHasKey('offline', $message);
            $device->close();
        }
        eventually('the user is offline', fn () => !ChatPush\isOnline($user));
        self::assertSame([], self::stored($user));
        self::assertSame(0, self::unread($user));
    }

    public function testStoredMessagesAreReplayedAndDeletedOnceConfirmed(): void
    {
        $user = self::newUser();
        foreach (['one', 'two'] as $text) {
            storeOfflineMessage(3, $user, $text);
        }
        $socket = new WebSocket(self::token($user));
        [$messages, $unread] = $socket->untilUnreadCount();
        self::assertSame(['one', 'two'], array_column($messages, 'data'));
        self::assertSame([3, 3], array_column($messages, 'from'));
        self::assertSame([true, true], array_column($messages, 'offline'));
        self::assertSame(2, $unread);
        // Reading one more message also reads the ping behind the others, and answers it.
        pushMessage($user, 'read on', 'text');
        self::assertSame('read on', $socket->message()['data']);
        eventually('the rows are deleted', fn () => self::stored($user) === []);
        self::assertSame(2, self::unread($user), 'delivery does not change the counter');
    }

    public function testStoreForAnOnlineUserIsDeliveredAtOnce(): void
    {
        $user = self::newUser();
        $socket = self::connect($user);
        self::assertTrue(storeOfflineMessage(3, $user, 'surprise'));
        $message = $socket->message();
        self::assertSame(['surprise', 3, 'text'], [$message['data'], $message['from'], $message['type']]);
        self::assertSame(['type' => 'unread_count', 'data' => 1], $socket->message());
        ChatPush\clearUnreadCount($user);
        self::assertSame(['type' => 'unread_count', 'data' => 0], $socket->message());
        eventually('the row is deleted', fn () => self::stored($user) === []);
    }

    /** The sign-in code pushes rows that the replay delivers too: each has the same id. */
    public function testFetchedRowsArePushedOnce(): void
    {
        $user = self::newUser();
        foreach (['same', 'same', 'other'] as $text) {
            storeOfflineMessage(3, $user, $text);
        }
        $rows = getOfflineMessage($user);
        self::assertCount(3, $rows);
        $socket = new WebSocket(self::token($user));
        [$flushed] = $socket->untilUnreadCount();
        foreach ($rows as $row) {
            pushMessage($user, $row['content'], 'chat');
        }
        pushMessage($user, 'end', 'text');
        $ids = array_column($flushed, 'id');
        while (($message = $socket->message())['data'] !== 'end') {
            $ids[] = $message['id'];
        }
        self::assertCount(3, $ids);
        self::assertSame($ids, array_unique($ids), 'each message arrives once');
        eventually('the rows are deleted', fn () => self::stored($user) === []);
    }

    public function testDisconnectUserRevokesOlderTokens(): void
    {
        $user = self::newUser();
        $claims = ['sub' => (string) $user, 'iat' => time() - 1, 'exp' => time() + 60];
        $old = self::jwt($claims, Stack::secret());
        $socket = new WebSocket($old);
        $socket->untilUnreadCount();
        self::assertTrue(ChatPush\disconnectUser($user));
        $closed = self::expectThrown(RuntimeException::class, fn () => $socket->message());
        self::assertSame('closed with 4403', $closed->getMessage());
        $refused = new WebSocket($old);
        self::assertStringContainsString(' 401 ', $refused->status);
        self::assertStringContainsString('token was revoked', $refused->body);
        self::assertFalse(ChatPush\isOnline($user));
        self::assertFalse(ChatPush\disconnectUser($user));
        self::assertSame([[], 0], (new WebSocket(self::token($user)))->untilUnreadCount(), 'a new token');
    }

    /** @dataProvider invalidTokens */
    public function testInvalidTokenIsRejectedBeforeTheUpgrade(string $token, string $reason): void
    {
        $socket = new WebSocket($token);
        self::assertStringContainsString(' 401 ', $socket->status);
        self::assertStringContainsString($reason, $socket->body);
    }

    public static function invalidTokens(): iterable
    {
        $secret = Stack::secret();
        $future = time() + 600;
        yield 'none' => ['', 'token'];
        yield 'of another secret' => [
            self::jwt(['sub' => '1', 'exp' => $future], str_repeat('x', 32)),
            'signature does not match',
        ];
        yield 'alg none' => [
            self::jwt(['sub' => '1', 'exp' => $future], $secret, 'none'),
            'algorithm must be HS256',
        ];
        yield 'alg HS512' => [
            self::jwt(['sub' => '1', 'exp' => $future], $secret, 'HS512'),
            'algorithm must be HS256',
        ];
        yield 'expired' => [self::jwt(['sub' => '1', 'exp' => time() - 3600], $secret), 'has expired'];
        yield 'without expiry' => [self::jwt(['sub' => '1'], $secret), 'has no expiry'];
        yield 'from the far future' => [
            self::jwt(['sub' => '1', 'iat' => $future * 2, 'exp' => $future * 3], $secret),
            'not valid yet',
        ];
        yield 'of a name' => [
            self::jwt(['sub' => 'root', 'exp' => $future], $secret),
            'subject must be a user id',
        ];
        yield 'of user 0' => [
            self::jwt(['sub' => '0', 'exp' => $future], $secret),
            'subject must be a user id',
        ];
        yield 'no token at all' => ['x.y.z', 'malformed'];
    }

    /** Connects a client and waits for its unread counter, after which it is subscribed. */
    private static function connect(int $user): WebSocket
    {
        $socket = new WebSocket(self::token($user));
        self::assertSame([[], 0], $socket->untilUnreadCount());
        return $socket;
    }
}
