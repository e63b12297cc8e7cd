<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;
use ChatPush\Testing\Server;

/** Calls that fail because a test said so. */
final class FailuresTest extends PromisesTestCase
{
    private const READS = ['is online', 'online users', 'room users', 'rows', 'unread', 'due'];

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
        $repeatable = ['push a row', 'send with an id', 'disconnect', 'recall', 'forget', 'mark', 'unsubscribe'];
        $repeatable = [...$repeatable, ...self::READS];
        Server::notify();
        Server::allowWebPush();
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
                self::assertWarns($result, self::calls()[$name]);
            }
        }
    }

    public function testResetForgetsEverything(): void
    {
        Server::connect(2, confirms: false);
        storeOfflineMessage(1, 2, 'x');
        Server::reset();
        self::assertSame([[], [], 0], [Server::pushed(2), Server::stored(2), getUnreadCount(2)]);
        self::assertFalse(ChatPush\isOnline(2));
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
            'push to a room' => fn () => ChatPush\pushToRoom('a', 'x', 'y'),
            'push to all' => fn () => ChatPush\pushToAll('x', 'y'),
            'room users' => fn () => ChatPush\getRoomUsers('a'),
            'send to many' => fn () => ChatPush\sendToUsers(1, [2], 'x'),
            'online users' => fn () => ChatPush\getOnlineUsers([2, 3]),
            'disconnect' => fn () => ChatPush\disconnectUser(2),
            'clear' => fn () => ChatPush\clearUnreadCount(2),
            'ack' => fn () => ChatPush\ackOfflineMessage(2, [1]),
            'forget' => fn () => ChatPush\forgetUser(2),
            'recall' => fn () => ChatPush\recallMessage(1, 2, 'id'),
            'due' => fn () => ChatPush\getDueNotifications(),
            'mark' => fn () => ChatPush\markNotified([2]),
            'unsubscribe' => fn () => ChatPush\removePushSubscription(2, 'https://push.example/a'),
        ];
    }
}
