<?php
declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** Redis goes in the middle of a list: the calls before that are done, those after it are not. */
final class CutListTest extends ChatPushTestCase
{
    /** Six bytes of JSON each, so that a script call, for 128 receivers, has 400 KB. */
    private const CONTENT = 65_535;

    public function testTheSameMessageIdCompletesTheList(): void
    {
        $redis = new RedisServer();
        ini_set('chatpush.durability', 'queued');
        // All of one partition, so that the log has them in order.
        $list = array_map(fn (int $i) => 64 * $i, range(1, 600));
        $send = fn () => ChatPush\sendToUsers(1, $list, str_repeat("\x01", self::CONTENT), message_id: 'cut');

        $proxy = new CuttingProxy($redis->socket, 1 << 20);
        ini_set('chatpush.redis_url', $proxy->url());
        ini_set('chatpush.timeout_ms', '3000');
        try {
            $send();
            self::fail('it was cut');
        } catch (ChatPush\Exception $thrown) {
            self::assertSame([Outcome::Unknown, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
        }
        $before = self::receivers($redis);
        self::assertNotSame([], $before);
        self::assertLessThan(count($list), count($before));
        if ($thrown instanceof ChatPush\PartialException) {
            self::assertSame([], array_diff(array_keys($thrown->getDeliveries()), $before), 'what is said to be done');
            $not = array_keys($thrown->getOutcomes(), Outcome::NotQueued, true);
            self::assertSame([], array_intersect($not, $before), 'what is said not to be done');
        }

        $proxy = new CuttingProxy($redis->socket, 3 << 19);
        ini_set('chatpush.redis_url', $proxy->url());
        ini_set('chatpush.errors', 'warning');
        $claimed = array_keys(@$send());
        self::assertSame([], array_diff($claimed, self::receivers($redis)), 'what is claimed is done');
        self::assertStringContainsString('unknown', error_get_last()['message']);

        ini_set('chatpush.redis_url', $redis->url());
        ini_set('chatpush.errors', 'exception');
        ini_set('chatpush.timeout_ms', '60000');
        self::assertSame(array_fill_keys($list, Delivery::Stored), $send());
        self::assertSame($list, self::receivers($redis), 'each once');
    }

    /** A push is not repeated: it could be shown twice. */
    public function testAPushIsNotRepeated(): void
    {
        $redis = new RedisServer();
        $proxy = new CuttingProxy($redis->socket, 3 << 20);
        ini_set('chatpush.redis_url', $proxy->url());
        ini_set('chatpush.timeout_ms', '3000');
        $push = fn () => ChatPush\pushToUsers(range(1, 600), str_repeat("\x01", self::CONTENT), 'text');
        $thrown = self::expectThrown(ChatPush\ConnectionException::class, $push);
        self::assertSame([Outcome::Unknown, false], [$thrown->getOutcome(), $thrown->isRetryable()]);
        ini_set('chatpush.errors', 'warning');
        self::assertSame([], @$push());
    }

    /** The receivers of the entries in the log, in order. */
    private static function receivers(RedisServer $redis): array
    {
        $log = self::log(Stack::prefix(), 64);
        $receivers = [];
        foreach ((new RedisConnection($redis->url()))->call('XRANGE', $log, '-', '+') as [, $fields]) {
            $values = array_column(array_chunk($fields, 2), 1, 0);
            array_push($receivers, ...array_map('intval', explode("\n", $values['r'])));
        }
        return $receivers;
    }
}
