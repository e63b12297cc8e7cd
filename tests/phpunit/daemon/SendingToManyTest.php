<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** ChatPush\sendToUsers: exactly once for each of many receivers, in one call. */
final class SendingToManyTest extends ChatPushTestCase
{
    public function testEachReceiverGetsItLiveOrStored(): void
    {
        $users = array_map(fn () => self::newUser(), range(1, 5));
        $connected = [$users[3], $users[0]];
        $sockets = array_map(self::connect(...), $connected);
        $list = [$users[3], $users[1], $users[4], $users[0], $users[2]];
        $sent = ChatPush\sendToUsers(3, $list, 'hello all', 7, conversation: 8);
        self::assertSame($list, array_keys($sent));
        self::assertSame(
            [Delivery::Live, Delivery::Stored, Delivery::Stored, Delivery::Live, Delivery::Stored],
            array_values($sent),
        );
        foreach ($sockets as $i => $socket) {
            $message = $socket->message();
            self::assertSame(
                ['hello all', 7, 3, '8'],
                [$message['data'], $message['type'], $message['from'], $message['conversation']],
            );
            self::assertSame(1, $socket->message()['data'], 'the counter');
            eventually('the row is deleted', fn () => self::stored($connected[$i]) === []);
        }
        foreach (array_diff($users, $connected) as $user) {
            self::assertSame([['hello all'], 1], [self::stored($user), self::unread($user)]);
            [[$message], $unread] = (new WebSocket(self::token($user)))->untilUnreadCount();
            self::assertSame(
                ['hello all', 7, 3, '8', true, 1],
                [
                    $message['data'], $message['type'], $message['from'], $message['conversation'],
                    $message['offline'], $unread,
                ],
            );
        }
    }

    /** More than fit into one script call of a partition, and all partitions. */
    public function testHundredsOfReceivers(): void
    {
        $users = self::newUsers(300);
        // Of one partition: users that do not exist are stored for all the same.
        $far = array_map(fn (int $i) => 10_000_000 + 64 * $i, range(1, 300));
        $list = [...$users, ...$far];
        $sent = ChatPush\sendToUsers(1, $list, 'to hundreds');
        self::assertSame(array_fill_keys($list, Delivery::Stored), $sent);
        $in = implode(',', $list);
        $rows = Stack::database()->query(
            "SELECT `receiver_id`, COUNT(*), MIN(`content`) FROM `offline_message` WHERE `receiver_id` IN ($in)
             GROUP BY 1 HAVING COUNT(*) = 1 AND MIN(`content`) = 'to hundreds'"
        )->fetchAll(PDO::FETCH_COLUMN);
        self::assertCount(600, $rows);
        $counted = "SELECT COUNT(*) FROM `user` WHERE `unread_count` = 1 AND `id` IN ($in)";
        self::assertSame(300, (int) Stack::database()->query($counted)->fetchColumn());
    }

    /** As many as a list may have, in one call that returns after the commit of all. */
    public function testTenThousandReceivers(): void
    {
        $database = Stack::database();
        $names = implode(', ', array_map(fn (int $i) => "('one-of-many-$i', '')", range(1, 10_000)));
        $database->exec("INSERT INTO `user` (`username`, `password`) VALUES $names");
        $many = "SELECT `id` FROM `user` WHERE `username` LIKE 'one-of-many-%'";
        $list = array_map(intval(...), $database->query($many)->fetchAll(PDO::FETCH_COLUMN));
        try {
            $sent = ChatPush\sendToUsers(1, $list, 'to all', message_id: 'announcement');
            self::assertSame(array_fill_keys($list, Delivery::Stored), $sent);
            $rows = "SELECT COUNT(*), COUNT(DISTINCT `receiver_id`) FROM `offline_message`
                WHERE `receiver_id` IN ($many) AND `content` = 'to all'";
            self::assertEquals([10_000, 10_000], $database->query($rows)->fetch(PDO::FETCH_NUM));
            $counted = "SELECT COUNT(*) FROM `user` WHERE `unread_count` = 1 AND `id` IN ($many)";
            self::assertSame(10_000, (int) $database->query($counted)->fetchColumn());
            $again = ChatPush\sendToUsers(1, $list, 'to all', message_id: 'announcement');
            self::assertSame($sent, $again);
            self::assertEquals([10_000, 10_000], $database->query($rows)->fetch(PDO::FETCH_NUM));
        } finally {
            $database->exec("DELETE FROM `offline_message` WHERE `content` = 'to all' AND `receiver_id` IN ($many)");
        }
    }

    public function testADoubleCountsOnce(): void
    {
        [$user, $other] = [self::newUser(), self::newUser()];
        $list = [$user, $other, $user];
        self::assertSame([$user, $other], array_keys(ChatPush\sendToUsers(1, $list, 'once')));
        self::assertSame([['once'], 1], [self::stored($user), self::unread($user)]);
    }

    /** The same call again, also for more receivers, completes what was missing. */
    public function testRepeatedCallCompletesTheFirstOne(): void
    {
        [$user, $other, $later] = [self::newUser(), self::newUser(), self::newUser()];
        $socket = self::connect($user);
        $send = fn (array $list, string $text) => ChatPush\sendToUsers(1, $list, $text, message_id: 'invoice 7');
        $first = [$user => Delivery::Live, $other => Delivery::Stored];
        self::assertSame($first, $send([$user, $other], 'first'));
        self::assertSame('first', $socket->message()['data']);
        self::assertSame(1, $socket->message()['data'], 'the counter');
        self::assertSame($first, $send([$user, $other], 'again'));
        self::assertSame([$later => Delivery::Stored] + $first, $send([$later, $user, $other], 'first'));
        self::assertSame([['first'], 1], [self::stored($other), self::unread($other)]);
        self::assertSame([['first'], 1], [self::stored($later), self::unread($later)]);
        self::assertSame(1, self::unread($user));
        // sendMessage with the same id is the same message.
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(1, $later, 'other', message_id: 'invoice 7'));
        self::assertSame(['first'], self::stored($later));
        pushMessage($user, 'end', 'text');
        self::assertSame('end', $socket->message()['data'], 'nothing was shown twice');
    }

    /** A repeated call is known while its row exists, also when Redis has forgotten it. */
    public function testMessageIdIsKnownWhileTheRowsExist(): void
    {
        $list = [$user = self::newUser(), $user + 64];
        ChatPush\sendToUsers(1, $list, 'first', message_id: 'old');
        $keys = array_map(
            fn (int $id) => sprintf('%s:{%s}:seen:%d:1:old', Stack::prefix(), self::tag($id), $id),
            $list,
        );
        self::assertSame(2, Stack::redis()->call('DEL', ...$keys));
        self::assertSame($list, array_keys(ChatPush\sendToUsers(1, $list, 'again', message_id: 'old')));
        self::assertSame(['first'], self::stored($user));
    }

    public function testConcurrentCallsWithTheSameIdAreOneMessage(): void
    {
        $list = self::newUsers(20);
        $code = '$list = array_map("intval", array_slice($argv, 1));
            for ($i = 0; $i < 20; $i++)
                echo count(ChatPush\sendToUsers(1, $list, "m$i", message_id: "m$i")), " ";';
        $processes = $outputs = [];
        for ($i = 0; $i < 4; $i++) {
            $command = [PHP_BINARY, ...self::options(), '-r', $code, '--', ...array_map('strval', $list)];
            $processes[] = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
            $outputs[] = $pipes[1];
        }
        self::assertSame(
            array_fill(0, 4, str_repeat('20 ', 20)),
            array_map('stream_get_contents', $outputs),
        );
        array_map('proc_close', $processes);
        foreach ($list as $user) {
            $stored = self::stored($user);
            sort($stored, SORT_NATURAL);
            self::assertSame(array_map(fn (int $i) => "m$i", range(0, 19)), $stored);
            self::assertSame(20, self::unread($user));
        }
    }

    /** MySQL refuses one of the receivers. The others' messages are stored. */
    public function testOnlyTheReceiverThatMySqlRefusesFails(): void
    {
        $list = self::newUsers(100);
        $all = [...$list, ...array_map(fn (int $i) => 20_000_000 + 64 * $i, range(1, 100))];
        $refused = [$list[40], 20_000_000 + 64 * 7, 20_000_000 + 64 * 8];
        $database = Stack::database();
        $in = implode(', ', $refused);
        $database->exec(
            "CREATE TRIGGER `refuse_some` BEFORE INSERT ON `offline_message` FOR EACH ROW
             IF NEW.`receiver_id` IN ($in) AND NEW.`content` = 'refused' THEN
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'; END IF"
        );
        try {
            $send = fn () => ChatPush\sendToUsers(1, $all, 'refused', message_id: 'refused by MySQL');
            $thrown = self::expectThrown(ChatPush\PartialException::class, $send);
            self::assertSame(array_fill_keys($refused, Outcome::NotQueued), $thrown->getOutcomes());
            $others = array_values(array_diff($all, $refused));
            self::assertSame(array_fill_keys($others, Delivery::Stored), $thrown->getDeliveries());
            self::assertSame([Outcome::NotQueued, false], [$thrown->getOutcome(), $thrown->isRetryable()]);
            self::assertStringStartsWith('3 of 200 receivers failed', $thrown->getMessage());
            self::assertStringContainsString('not this one', $thrown->getMessage());
            self::assertSame([['refused'], 1], [self::stored($list[0]), self::unread($list[0])]);
            self::assertSame([[], 0], [self::stored($list[40]), self::unread($list[40])]);
            $again = self::expectThrown(ChatPush\PartialException::class, $send);
            self::assertSame($thrown->getOutcomes(), $again->getOutcomes());
            self::assertSame($thrown->getDeliveries(), $again->getDeliveries());
            $alone = fn () => ChatPush\sendToUsers(1, $refused, 'refused', message_id: 'refused by MySQL');
            self::assertStringContainsString(
                'not this one',
                self::expectThrown(ChatPush\Exception::class, $alone)->getMessage(),
            );
        } finally {
            $database->exec('DROP TRIGGER `refuse_some`');
        }
        $dead = "SELECT JSON_UNQUOTE(JSON_EXTRACT(`entry`, '$[2][1]')) FROM `chatpush_dead`
                 WHERE `error` LIKE '%not this one%' ORDER BY 1";
        $dead = $database->query($dead)->fetchAll(PDO::FETCH_COLUMN);
        $expected = array_map('strval', $refused);
        sort($expected, SORT_STRING);
        sort($dead, SORT_STRING);
        self::assertSame($expected, $dead);
        $database->exec("DELETE FROM `chatpush_dead` WHERE `error` LIKE '%not this one%'");
    }

    /** A row that the application has locked delays its partition, and the other receivers are answered. */
    public function testReceiversThatWaitForALockAreQueued(): void
    {
        [$user, $locked] = self::newUsers(2);
        $database = Stack::database();
        $database->beginTransaction();
        $database->exec("UPDATE `user` SET `unread_count` = 5 WHERE `id` = $locked");
        ini_set('chatpush.timeout_ms', '3000');
        $send = fn () => ChatPush\sendToUsers(1, [$locked, $user], 'one waits', message_id: 'one waits');
        $thrown = self::expectThrown(ChatPush\PartialException::class, $send);
        self::assertSame([$locked => Outcome::Queued], $thrown->getOutcomes());
        self::assertSame([$user => Delivery::Stored], $thrown->getDeliveries());
        self::assertSame([Outcome::Queued, false], [$thrown->getOutcome(), $thrown->isRetryable()]);
        ini_set('chatpush.errors', 'warning');
        $sent = @$send();
        self::assertEquals([$locked => Delivery::Stored, $user => Delivery::Stored], $sent);
        self::assertStringContainsString('1 of 2 receivers failed', error_get_last()['message']);
        $database->commit();
        ini_set('chatpush.timeout_ms', '15000');
        ini_set('chatpush.errors', 'exception');
        self::assertEquals([$locked => Delivery::Stored, $user => Delivery::Stored], $send());
        self::assertSame([['one waits'], 6], [self::stored($locked), self::unread($locked)]);
    }

    public function testQueuedDoesNotWait(): void
    {
        [$user, $other] = self::newUsers(2);
        $socket = self::connect($user);
        ini_set('chatpush.durability', 'queued');
        $send = fn () => ChatPush\sendToUsers(1, [$other, $user], 'queued', message_id: 'q');
        self::assertSame([$other => Delivery::Stored, $user => Delivery::Live], $send());
        self::assertSame([$other => Delivery::Stored, $user => Delivery::Live], $send());
        self::assertSame('queued', $socket->message()['data']);
        eventually('it is stored', fn () => self::stored($other) === ['queued']);
        self::assertSame(1, self::unread($other));
    }

    public function testLargeContentIsInTheLogOncePerScriptCall(): void
    {
        $content = str_repeat('é', 32_767);
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $list = array_map(fn (int $i) => 64 * $i, range(1, 100));
        self::assertCount(100, ChatPush\sendToUsers(1, $list, $content));
        $log = self::log($prefix, 64);
        $entries = Stack::redis()->call('XRANGE', $log, '-', '+');
        self::assertLessThanOrEqual(2, count($entries));
        $receivers = [];
        foreach ($entries as [, $fields]) {
            $values = array_column(array_chunk($fields, 2), 1, 0);
            self::assertSame($content, $values['c']);
            $receivers = [...$receivers, ...explode("\n", $values['r'])];
        }
        self::assertSame(array_map('strval', $list), $receivers);
    }

    /** The rows of a large content, many times over. */
    public function testLargeContentToMany(): void
    {
        $content = str_repeat('x', 65_535);
        $list = array_map(fn (int $i) => 30_000_000 + 64 * $i, range(1, 150));
        self::assertSame($list, array_keys(ChatPush\sendToUsers(1, $list, $content)));
        $count = 'SELECT COUNT(*) FROM `offline_message` WHERE `receiver_id` IN (' . implode(',', $list) . ')
            AND LENGTH(`content`) = 65535';
        self::assertSame(150, (int) Stack::database()->query($count)->fetchColumn());
    }

    public function testAnEmptyListTakesNoTrip(): void
    {
        ini_set('chatpush.redis_url', 'redis://127.0.0.1:1');
        self::assertSame([], ChatPush\sendToUsers(1, [], 'x'));
    }

    public function testMemoryStaysFlat(): void
    {
        self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $list = range(1, 1_000);
        $content = str_repeat('z', 1_000);
        $call = fn () => ChatPush\sendToUsers(1, $list, $content, message_id: 'the same');
        $call();
        [$php, $process] = [memory_get_usage(), self::residentPages()];
        for ($i = 0; $i < 200; $i++) {
            $call();
        }
        self::assertLessThan(64 * 1024, memory_get_usage() - $php);
        self::assertLessThan(1_000, self::residentPages() - $process, 'pages');
    }

    private static function residentPages(): int
    {
        return (int) explode(' ', file_get_contents('/proc/self/statm'))[1];
    }

    /** Connects a client and waits for its unread counter, after which it is subscribed. */
    private static function connect(int $user): WebSocket
    {
        $socket = new WebSocket(self::token($user));
        self::assertSame([[], 0], $socket->untilUnreadCount());
        return $socket;
    }

    /** Inserts users and returns their ids. */
    private static function newUsers(int $count): array
    {
        return array_map(fn () => self::newUser(), range(1, $count));
    }
}
