<?php

declare(strict_types=1);

/** A test that runs twice: with the extension and real servers, and with php/testing. */
abstract class PromisesTestCase extends ChatPushTestCase
{
    /** @var list<Setting> what is set in the installation */
    protected const SETTINGS = [];

    protected ?Installation $installation;

    protected function setUp(): void
    {
        if (!extension_loaded('chatpush')) {
            $this->installation = new InstallationInMemory(...static::SETTINGS);
            return;
        }
        parent::setUp();
        $daemon = static::SETTINGS === [] ? null : OtherDaemon::with(...static::SETTINGS);
        $this->installation = new InstallationOfStack(self::jwt(...), $daemon);
    }

    protected function tearDown(): void
    {
        $this->installation->recover();
        // PHPUnit keeps the test: its pages would stay connected.
        $this->installation = null;
    }

    /** Expects this of an exception of this class. */
    protected static function assertFails(
        string $class,
        ChatPush\Outcome $outcome,
        bool $retryable,
        callable $call,
        string $name = '',
    ): Throwable {
        $thrown = self::expectThrown($class, $call);
        self::assertSame([$outcome, $retryable], [$thrown->getOutcome(), $thrown->isRetryable()], $name);
        return $thrown;
    }

    /** Expects a result and one warning. */
    protected static function assertWarns(mixed $result, callable $call, string $name = ''): void
    {
        $seen = [];
        set_error_handler(function (int $level, string $text) use (&$seen): bool {
            $seen[] = $text;
            return true;
        });
        try {
            self::assertSame($result, $call(), $name);
        } finally {
            restore_error_handler();
        }
        self::assertCount(1, $seen, $name);
        self::assertStringStartsWith('chatpush: ', $seen[0]);
    }

    /**
     * The calls that need a database or a daemon's answer about one user, and what each is: a read, a change, or
     * another write.
     *
     * @return array<string, array{string, Closure}>
     */
    protected static function storageCalls(int $user): array
    {
        return [
            'store' => ['change', fn () => storeOfflineMessage(1, $user, 'x')],
            'send' => ['change', fn () => ChatPush\sendMessage(1, $user, 'x')],
            'send with an id' => ['change', fn () => ChatPush\sendMessage(1, $user, 'x', 'text', 'id')],
            'send to many' => ['change', fn () => ChatPush\sendToUsers(1, [$user], 'x')],
            'clear' => ['change', fn () => ChatPush\clearUnreadCount($user)],
            'ack' => ['change', fn () => ChatPush\ackOfflineMessage($user, [2_000_000_000])],
            'recall' => ['change', fn () => ChatPush\recallMessage(1, $user, 'of nobody')],
            'rows' => ['read', fn () => getOfflineMessage($user)],
            'unread' => ['read', fn () => getUnreadCount($user)],
            'unread counts' => ['read', fn () => ChatPush\getUnreadCounts($user)],
            'due' => ['read', fn () => ChatPush\getDueNotifications()],
            'mark' => ['write', fn () => ChatPush\markNotified([$user])],
        ];
    }

    /**
     * The calls that reach those who are connected, or ask who is.
     *
     * @return array<string, Closure>
     */
    protected static function liveCalls(int $user): array
    {
        return [
            'push' => fn () => pushMessage($user, 'x', 'y'),
            'push a row' => fn () => pushMessage($user, 'x', 'y', 'id'),
            'push to many' => fn () => ChatPush\pushToUsers([$user], 'x', 'y'),
            'is online' => fn () => ChatPush\isOnline($user),
            'online users' => fn () => ChatPush\getOnlineUsers([$user]),
            'push to all' => fn () => ChatPush\pushToAll('x', 'y'),
            'push to a room' => fn () => ChatPush\pushToRoom('room', 'x', 'y'),
            'room users' => fn () => ChatPush\getRoomUsers('room'),
        ];
    }
}
