<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** Calls when no daemon serves the prefix, or when it does not answer. */
final class WithoutDaemonTest extends ChatPushTestCase
{
    public function testCallsWithoutADaemonQueueNothing(): void
    {
        $prefix = self::unservedPrefix();
        $calls = [
            fn () => storeOfflineMessage(1, 2, 'x'),
            fn () => getOfflineMessage(2),
            fn () => getUnreadCount(2),
            fn () => ChatPush\clearUnreadCount(2),
            fn () => ChatPush\ackOfflineMessage(2, [1]),
            fn () => ChatPush\recallMessage(1, 2, 'id'),
            fn () => ChatPush\forgetUser(2),
        ];
        foreach ($calls as $call) {
            $thrown = self::expectThrown(ChatPush\UnavailableException::class, $call);
            self::assertStringContainsString('chatpushd', $thrown->getMessage());
        }
        $left = fn () => Stack::redis()->call('KEYS', "$prefix:*");
        eventually('refused calls leave no key', fn () => $left() === ["$prefix:installation"]);
        self::assertFalse(pushMessage(2, 'x', 'y'));
        self::assertFalse(ChatPush\isOnline(2));
    }

    /** Messages must not wait where no daemon will look. */
    public function testPrefixThatNoDaemonHasServedIsRefused(): void
    {
        ini_set('chatpush.prefix', 'nobody');
        foreach (['committed', 'queued', 'replicated'] as $durability) {
            ini_set('chatpush.durability', $durability);
            $thrown = self::expectThrown(
                ChatPush\UnavailableException::class,
                fn () => storeOfflineMessage(1, 2, 'x'),
            );
            self::assertStringContainsString('with the prefix nobody', $thrown->getMessage());
            self::assertStringContainsString('nothing was queued', $thrown->getMessage());
        }
        self::assertSame([], Stack::redis()->call('KEYS', 'nobody:*'));
        self::assertFalse(pushMessage(2, 'x', 'y'), 'nobody is there');
    }

    /** Whether an id fits is known only with the installation. A page can be written that never throws. */
    public function testIdsOfEveryTypeAreRefusedAsUnavailableWithoutAnInstallation(): void
    {
        ini_set('chatpush.prefix', 'nobody');
        foreach ([2, 'ann', '9223372036854775807', -1] as $id) {
            foreach (self::callsThatStoreOrRead($id) as $name => [$call, $failed]) {
                ini_set('chatpush.errors', 'exception');
                $thrown = self::expectThrown(ChatPush\UnavailableException::class, $call);
                self::assertStringContainsString('with the prefix nobody', $thrown->getMessage(), $name);
                $known = [$thrown->getOutcome(), $thrown->isRetryable()];
                self::assertSame([Outcome::NotQueued, true], $known, $name);
                ini_set('chatpush.errors', 'warning');
                self::assertSame($failed, @$call(), $name);
            }
            ini_set('chatpush.errors', 'exception');
            $pushed = [pushMessage($id, 'x', 'y'), ChatPush\isOnline($id), ChatPush\pushToUsers([$id], 'x', 'y')];
            self::assertSame([false, false, []], $pushed, 'nobody is there');
        }
        self::assertSame([], Stack::redis()->call('KEYS', 'nobody:*'));
        foreach (self::callsThatStoreOrRead('no id') as $name => [$call]) {
            self::assertStringContainsString('$', self::expectThrown(ValueError::class, $call)->getMessage(), $name);
        }
    }

    /** Calls with this user, and what each returns if it fails with a warning. */
    private static function callsThatStoreOrRead(int|string $id): array
    {
        return [
            'store' => [fn () => storeOfflineMessage($id, $id, 'x'), false],
            'send' => [fn () => ChatPush\sendMessage($id, $id, 'x'), null],
            'send to many' => [fn () => ChatPush\sendToUsers($id, [$id], 'x'), []],
            'rows' => [fn () => getOfflineMessage($id), []],
            'unread' => [fn () => getUnreadCount($id), 0],
            'unread counts' => [fn () => ChatPush\getUnreadCounts($id), []],
            'clear' => [fn () => ChatPush\clearUnreadCount($id), null],
            'ack' => [fn () => ChatPush\ackOfflineMessage($id, [1]), 0],
            'recall' => [fn () => ChatPush\recallMessage($id, $id, 'id'), false],
            'forget' => [fn () => ChatPush\forgetUser($id), null],
            'disconnect' => [fn () => ChatPush\disconnectUser($id), false],
            'mark' => [fn () => ChatPush\markNotified([$id]), 0],
        ];
    }

    public function testQueuedStoreNeedsNoDaemon(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        self::assertTrue(storeOfflineMessage(1, 2, 'x'));
        self::assertSame(1, Stack::redis()->call('XLEN', self::log($prefix, 2)));
    }

    /** It is not refused, although no daemon runs: the message is already queued. */
    public function testRepeatedSendOfAQueuedMessageTimesOut(): void
    {
        $prefix = self::unservedPrefix();
        $send = fn () => ChatPush\sendMessage(1, 2, 'x', 'text', 'order-1');
        ini_set('chatpush.durability', 'queued');
        self::assertSame(ChatPush\Delivery::Stored, $send());
        ini_set('chatpush.durability', 'committed');
        ini_set('chatpush.timeout_ms', '150');
        $thrown = self::expectThrown(ChatPush\TimeoutException::class, $send);
        self::assertStringContainsString('is queued and will be stored', $thrown->getMessage());
        $log = Stack::redis()->call('XRANGE', self::log($prefix, 2), '-', '+');
        $kinds = array_map(fn ($entry) => $entry[1][3], $log);
        self::assertSame(['m', 'e'], $kinds, 'the message, and a duplicate that waits for its commit');
    }

    public function testFailedAppendDoesNotConsumeTheMessageId(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $send = fn () => ChatPush\sendMessage(1, 2, 'x', 'text', 'order-2');
        $last = '18446744073709551615-18446744073709551615';
        Stack::redis()->call('XADD', self::log($prefix, 2), $last, 'no id', 'is behind this one');
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, $send);
        self::assertStringContainsString('exhausted', $thrown->getMessage());
        Stack::redis()->call('DEL', self::log($prefix, 2));
        self::assertSame(ChatPush\Delivery::Stored, $send());
        self::assertSame(1, Stack::redis()->call('XLEN', self::log($prefix, 2)));
    }

    public function testFullLogRefusesStores(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $fill = "for i = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'x', 'y') end";
        Stack::redis()->call('EVAL', $fill, 1, self::log($prefix, 2));
        $thrown = self::expectThrown(
            ChatPush\UnavailableException::class,
            fn () => storeOfflineMessage(1, 2, 'x'),
        );
        self::assertStringContainsString('backlog', $thrown->getMessage());
        self::assertSame(100000, Stack::redis()->call('XLEN', self::log($prefix, 2)));
        self::assertTrue(storeOfflineMessage(1, 3, 'x'), 'other partitions are not affected');
        Stack::redis()->call('DEL', self::log($prefix, 2));
    }

    public function testFullLogOfOnePartitionRefusesItsReceiversAlone(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $fill = "for i = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'x', 'y') end";
        Stack::redis()->call('EVAL', $fill, 1, self::log($prefix, 2));
        $send = fn () => ChatPush\sendToUsers(1, [3, 66, 2, 4], 'x', message_id: 'id');
        $thrown = self::expectThrown(ChatPush\PartialException::class, $send);
        $refused = [66 => Outcome::NotQueued, 2 => Outcome::NotQueued];
        self::assertSame($refused, $thrown->getOutcomes());
        $stored = [3 => Delivery::Stored, 4 => Delivery::Stored];
        self::assertSame($stored, $thrown->getDeliveries());
        self::assertSame([Outcome::NotQueued, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
        self::assertStringContainsString('backlog', $thrown->getMessage());
        ini_set('chatpush.errors', 'warning');
        self::assertSame($stored, @$send());
        ini_set('chatpush.errors', 'exception');

        $without_id = fn () => ChatPush\sendToUsers(1, [3, 2], 'x');
        $thrown = self::expectThrown(ChatPush\PartialException::class, $without_id);
        self::assertFalse($thrown->isRetryable(), '3 would get it twice');
        $all = fn () => ChatPush\sendToUsers(1, [66, 2], 'x');
        $thrown = self::expectThrown(ChatPush\UnavailableException::class, $all);
        self::assertSame([Outcome::NotQueued, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
        self::assertSame('the backlog is full', substr($thrown->getMessage(), 0, 19));

        Stack::redis()->call('DEL', self::log($prefix, 2));
        self::assertSame(
            [3 => Delivery::Stored, 66 => Delivery::Stored, 2 => Delivery::Stored, 4 => Delivery::Stored],
            $send(),
            'the same call completes it',
        );
        self::assertSame(1, Stack::redis()->call('XLEN', self::log($prefix, 2)));
        self::assertSame(2, Stack::redis()->call('XLEN', self::log($prefix, 3)), 'one for each message');
    }

    /** A full log may be emptied, one whose ids are used up may not. One of them is reason enough to repeat. */
    public function testRepeatingIsWorthItForOneReceiverWhereverTheyStandInTheList(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $fill = "for i = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'x', 'y') end";
        Stack::redis()->call('EVAL', $fill, 1, self::log($prefix, 2));
        $last = '18446744073709551615-18446744073709551615';
        Stack::redis()->call('XADD', self::log($prefix, 3), $last, 'no id', 'is behind this one');
        $send = fn (array $list, ?string $id) => fn () => ChatPush\sendToUsers(1, $list, 'x', message_id: $id);
        foreach ([[2, 3], [3, 2]] as $failing) {
            $partial = $send([...$failing, 4], 'id');
            $thrown = self::expectThrown(ChatPush\PartialException::class, $partial);
            self::assertSame(array_fill_keys($failing, Outcome::NotQueued), $thrown->getOutcomes());
            self::assertSame([Outcome::NotQueued, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
            $without_id = $send([...$failing, 4], null);
            $thrown = self::expectThrown(ChatPush\PartialException::class, $without_id);
            self::assertFalse($thrown->isRetryable(), '4 would get it twice');
            foreach ([null, 'id'] as $id) {
                $thrown = self::expectThrown(ChatPush\UnavailableException::class, $send($failing, $id));
                self::assertSame([Outcome::NotQueued, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
            }
        }
        Stack::redis()->call('DEL', self::log($prefix, 2));
        $thrown = self::expectThrown(ChatPush\PartialException::class, $send([2, 3, 4], 'id'));
        self::assertSame([3 => Outcome::NotQueued], $thrown->getOutcomes());
        self::assertFalse($thrown->isRetryable(), 'what may pass has passed');
    }

    public function testRepeatedSendToManyOfAQueuedMessageTimesOut(): void
    {
        $prefix = self::unservedPrefix();
        $send = fn () => ChatPush\sendToUsers(1, [2, 66], 'x', 'text', 'order-1');
        ini_set('chatpush.durability', 'queued');
        self::assertSame([2, 66], array_keys($send()));
        ini_set('chatpush.durability', 'committed');
        ini_set('chatpush.timeout_ms', '150');
        $thrown = self::expectThrown(ChatPush\TimeoutException::class, $send);
        self::assertStringContainsString('is queued and will be stored', $thrown->getMessage());
        self::assertSame(Outcome::Queued, $thrown->getOutcome());
        $log = Stack::redis()->call('XRANGE', self::log($prefix, 2), '-', '+');
        $kinds = array_map(fn ($entry) => $entry[1][3], $log);
        self::assertSame(['g', 'h'], $kinds, 'the message, and a duplicate that waits for its commit');
        self::assertSame(['v', 'k', 'r', 'i', 'l', 'q'], array_column(array_chunk($log[1][1], 2), 0));
    }

    public function testFailedAppendToManyDoesNotConsumeTheMessageId(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $send = fn () => ChatPush\sendToUsers(1, [2, 66, 3], 'x', 'text', 'order-2');
        $last = '18446744073709551615-18446744073709551615';
        Stack::redis()->call('XADD', self::log($prefix, 2), $last, 'no id', 'is behind this one');
        $thrown = self::expectThrown(ChatPush\PartialException::class, $send);
        self::assertStringContainsString('exhausted', $thrown->getMessage());
        self::assertSame([3 => Delivery::Stored], $thrown->getDeliveries());
        Stack::redis()->call('DEL', self::log($prefix, 2));
        self::assertSame([2, 66, 3], array_keys($send()));
        self::assertSame(1, Stack::redis()->call('XLEN', self::log($prefix, 2)));
    }

    public function testTimeoutSaysWhetherTheCallIsQueued(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.timeout_ms', '150');
        // It subscribes as a daemon does, and never answers.
        $silent = new RedisConnection(Stack::redisUrl());
        $silent->subscribe("$prefix:{" . self::tag(2) . '}:daemons');
        $thrown = self::expectThrown(
            ChatPush\TimeoutException::class,
            fn () => storeOfflineMessage(1, 2, 'x'),
        );
        self::assertStringContainsString('is queued and will be stored', $thrown->getMessage());
        self::assertSame(1, Stack::redis()->call('XLEN', self::log($prefix, 2)));
        $thrown = self::expectThrown(ChatPush\TimeoutException::class, fn () => getUnreadCount(2));
        self::assertStringContainsString('chatpushd did not answer', $thrown->getMessage());
        $thrown = self::expectThrown(ChatPush\TimeoutException::class, fn () => ChatPush\clearUnreadCount(2));
        self::assertStringContainsString('is queued', $thrown->getMessage());
        $keys = '{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",'
            . '"auth":"BTBZMqHH6r4Tts7J_aSIgg"}';
        $subscription = "{\"endpoint\":\"https://push.example/a\",\"keys\":$keys}";
        // Who is to be told is kept in the first partition.
        $silent->subscribe("$prefix:{" . self::tag(0) . '}:daemons');
        $write = [
            fn () => ChatPush\markNotified([2]),
            fn () => ChatPush\savePushSubscription(2, $subscription),
            fn () => ChatPush\removePushSubscription(2, 'https://push.example/a'),
        ];
        foreach ($write as $call) {
            $thrown = self::expectThrown(ChatPush\TimeoutException::class, $call);
            self::assertSame([Outcome::Unknown, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
            self::assertStringContainsString('it may have been done', $thrown->getMessage());
        }
        ini_set('chatpush.timeout_ms', '15000');
        self::assertFalse(pushMessage(2, 'x', 'y'), 'a late reply does not answer the next call');
        self::assertFalse(ChatPush\isOnline(2));
    }
}
