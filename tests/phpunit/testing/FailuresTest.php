<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;
use ChatPush\Testing\Server;

/** Calls that fail because a test said so. */
final class FailuresTest extends PromisesTestCase
{
    private const READS = ['is online', 'online users', 'rows', 'unread', 'due'];

    public function testNothingIsQueued(): void
    {
        Server::connect(2);
        Server::fail(calls: null);
        self::assertFalse(ChatPush\ping());
        foreach (self::calls() as $name => $call) {
            $thrown = self::expectThrown(ChatPush\ConnectionException::class, $call);
            $known = [$thrown->getOutcome(), $thrown->isRetryable()];
            self::assertSame([Outcome::NotQueued, true], $known, $name);
        }
        Server::recover();
        self::assertSame([[], 0], [Server::pushed(2), Server::unread(2)]);
        self::assertTrue(pushMessage(2, 'x', 'y'));
        self::assertTrue(ChatPush\ping());
    }

    public function testWhatIsQueuedHappens(): void
    {
        foreach (['store', 'send', 'send with an id'] as $i => $name) {
            Server::fail(Outcome::Queued);
            $thrown = self::expectThrown(ChatPush\TimeoutException::class, self::calls()[$name]);
            self::assertSame([Outcome::Queued, false], [$thrown->getOutcome(), $thrown->isRetryable()]);
            self::assertSame($i + 1, getUnreadCount(2), 'one call has failed');
        }
    }

    public function testUnknownOutcomeIsWhatTheTestSays(): void
    {
        $send = self::calls()['send with an id'];
        foreach ([false, true] as $done) {
            Server::fail(Outcome::Unknown, done: $done);
            $thrown = self::expectThrown(ChatPush\TimeoutException::class, $send);
            self::assertSame([Outcome::Unknown, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
            self::assertSame((int) $done, Server::unread(2));
        }
        self::assertSame(Delivery::Stored, $send());
        self::assertSame(1, Server::unread(2), 'the id makes it the same message');
        $repeatable = ['push a row', 'send with an id', 'disconnect', 'recall', 'forget', 'mark', ...self::READS];
        Server::notify();
        foreach (self::calls() as $name => $call) {
            Server::fail(Outcome::Unknown);
            $thrown = self::expectThrown(ChatPush\TimeoutException::class, $call);
            $outcome = in_array($name, self::READS, true) ? Outcome::NotQueued : Outcome::Unknown;
            $known = [$outcome, in_array($name, $repeatable, true)];
            self::assertSame($known, [$thrown->getOutcome(), $thrown->isRetryable()], $name);
        }
    }

    public function testChosenExceptionAndNumberOfCalls(): void
    {
        Server::fail(calls: 2, exception: ChatPush\UnavailableException::class);
        self::expectThrown(ChatPush\UnavailableException::class, fn () => storeOfflineMessage(1, 2, 'x'));
        self::expectThrown(ChatPush\UnavailableException::class, fn () => getUnreadCount(2));
        self::assertSame(0, getUnreadCount(2));
        self::expectThrown(ValueError::class, fn () => Server::fail(exception: stdClass::class));
    }

    public function testWarningsReturnWhatIsKnown(): void
    {
        Server::makeErrorsWarnings();
        $results = [
            'not_queued' => [
                'store' => false, 'send' => null, 'rows' => [], 'unread' => 0, 'ack' => 0, 'recall' => false,
            ],
            'queued' => ['store' => true, 'send' => Delivery::Stored, 'push' => false, 'push to many' => []],
            'unknown' => ['store' => false, 'send' => null, 'is online' => false, 'clear' => null],
        ];
        foreach ($results as $outcome => $calls) {
            foreach ($calls as $name => $result) {
                Server::fail(Outcome::from($outcome));
                self::assertWarning($result, self::calls()[$name]);
            }
        }
    }

    public function testPushOnlyStoresNothing(): void
    {
        Server::makePushOnly();
        Server::connect(2);
        $refused = ['store', 'send', 'send with an id', 'rows', 'unread', 'clear', 'ack', 'recall', 'due', 'mark'];
        foreach (self::calls() as $name => $call) {
            if (in_array($name, $refused, true)) {
                $thrown = self::expectThrown(ChatPush\UnavailableException::class, $call);
                $known = [$thrown->getOutcome(), $thrown->isRetryable()];
                self::assertSame([Outcome::NotQueued, false], $known);
            } elseif ($name !== 'disconnect' && $name !== 'forget') {
                self::assertNotContains($call(), [false, []], $name);
            }
        }
        ChatPush\forgetUser(2);
        self::assertFalse(ChatPush\isOnline(2), 'nothing else is kept of a user');
    }

    public function testClientThatDoesNotConfirmLeavesTheRows(): void
    {
        storeOfflineMessage(1, 2, 'x');
        Server::connect(2, confirms: false);
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, 2, 'y'));
        self::assertSame(['x', 'y'], array_column(Server::pushed(2), 'data'));
        self::assertSame(['x', 'y'], array_column(Server::stored(2), 'content'));
        Server::connect(2);
        self::assertCount(2, Server::pushed(2), 'each message once');
        self::assertSame([], Server::stored(2));
        Server::reset();
        self::assertSame([[], 0, false], [Server::pushed(2), getUnreadCount(2), ChatPush\isOnline(2)]);
    }

    public function testTokenIsSigned(): void
    {
        $token = ChatPush\connectToken(5, 60);
        [$header, $claims, $signature] = explode('.', $token);
        $decode = fn (string $part) => base64_decode(strtr($part, '-_', '+/'));
        self::assertSame('{"alg":"HS256","typ":"JWT"}', $decode($header));
        $claims = json_decode($decode($claims), true);
        self::assertSame(['5', 60], [$claims['sub'], $claims['exp'] - $claims['iat']]);
        $signed = substr($token, 0, (int) strrpos($token, '.'));
        $hash = hash_hmac('sha256', $signed, Server::SECRET, true);
        self::assertSame($hash, $decode($signature));
    }

    /** It neither came from a call nor claims anything. */
    public function testExceptionsOfTheApplication(): void
    {
        $own = new class ('mine', 5) extends ChatPush\TimeoutException {
            protected string $outcome = 'a property of its own';
        };
        self::assertSame([Outcome::Unknown, false], [$own->getOutcome(), $own->isRetryable()]);
        self::assertSame(['mine', 5], [$own->getMessage(), $own->getCode()]);
    }

    private static function calls(): array
    {
        return [
            'push' => fn () => pushMessage(2, 'x', 'y'),
            'push a row' => fn () => pushMessage(2, 'x', 'y', 'id'),
            'store' => fn () => storeOfflineMessage(1, 2, 'x'),
            'send' => fn () => ChatPush\sendMessage(1, 2, 'x'),
            'send with an id' => fn () => ChatPush\sendMessage(1, 2, 'x', 'text', 'id'),
            'rows' => fn () => getOfflineMessage(2),
            'unread' => fn () => getUnreadCount(2),
            'is online' => fn () => ChatPush\isOnline(2),
            'push to many' => fn () => ChatPush\pushToUsers([2, 3], 'x', 'y'),
            'online users' => fn () => ChatPush\getOnlineUsers([2, 3]),
            'disconnect' => fn () => ChatPush\disconnectUser(2),
            'clear' => fn () => ChatPush\clearUnreadCount(2),
            'ack' => fn () => ChatPush\ackOfflineMessage(2, [1]),
            'forget' => fn () => ChatPush\forgetUser(2),
            'recall' => fn () => ChatPush\recallMessage(1, 2, 'id'),
            'due' => fn () => ChatPush\getDueNotifications(),
            'mark' => fn () => ChatPush\markNotified([2]),
        ];
    }

    private static function assertWarning(mixed $result, callable $call): void
    {
        $seen = [];
        set_error_handler(function (int $level, string $text) use (&$seen): bool {
            $seen[] = $text;
            return true;
        });
        try {
            self::assertSame($result, $call());
        } finally {
            restore_error_handler();
        }
        self::assertCount(1, $seen);
        self::assertStringStartsWith('chatpush: ', $seen[0]);
    }
}
