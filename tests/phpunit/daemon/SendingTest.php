<?php

declare(strict_types=1);

use ChatPush\Delivery;

/** ChatPush\sendMessage: live or stored, in one call. */
final class SendingTest extends ChatPushTestCase
{
    public function testSendToAnOfflineUserIsStored(): void
    {
        $user = self::newUser();
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(1, $user, 'hello', 'chat'));
        self::assertSame([['hello'], 1], [self::stored($user), self::unread($user)]);
        [$messages] = (new WebSocket(self::token($user)))->untilUnreadCount();
        self::assertSame(
            ['hello', 'chat', 1, true],
            [$messages[0]['data'], $messages[0]['type'], $messages[0]['from'], $messages[0]['offline']],
        );
    }

    public function testSendToAnOnlineUserIsLive(): void
    {
        $user = self::newUser();
        $socket = new WebSocket(self::token($user));
        $socket->untilUnreadCount();
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, $user, 'hello', 7));
        $message = $socket->message();
        self::assertSame(['hello', 7, 1], [$message['data'], $message['type'], $message['from']]);
        self::assertSame(1, $socket->message()['data'], 'the counter');
        eventually('the row is deleted', fn () => self::stored($user) === []);
        self::assertSame(1, self::unread($user), 'counted once, and delivery does not change the counter');
    }

    public function testConversationIsInEveryDeliveryOfTheMessage(): void
    {
        $user = self::newUser();
        $name = 'team:a@b.c_d-1' . str_repeat('x', 50);
        ChatPush\sendMessage(3, $user, 'stored', conversation: $name);
        ChatPush\sendMessage(3, $user, 'without one');
        $rows = getOfflineMessage($user);
        [$messages] = ($socket = new WebSocket(self::token($user)))->untilUnreadCount();
        self::assertSame([$name, null], array_map(fn (array $frame) => $frame['conversation'] ?? null, $messages));
        self::assertSame(Delivery::Live, ChatPush\sendMessage(3, $user, 'live', conversation: 7));
        $live = $socket->message();
        self::assertSame(['live', '7'], [$live['data'], $live['conversation']]);
        // A push of a fetched row, to another connection that has not seen it.
        $subscriber = new RedisConnection(Stack::redisUrl());
        $subscriber->subscribe(self::channel(Stack::prefix(), $user));
        foreach ($rows as $row) {
            pushMessage($user, $row['content'], 'text');
        }
        self::assertStringContainsString("\"from\":3,\"conversation\":\"$name\",\"time\":", $subscriber->message());
        self::assertStringNotContainsString('conversation', $subscriber->message());
    }

    public function testMessageIdIsUniquePerSenderAndReceiver(): void
    {
        [$user, $other] = [self::newUser(), self::newUser()];
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(1, $user, 'first', message_id: 'order 7'));
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(1, $user, 'again', message_id: 'order 7'));
        self::assertSame([['first'], 1], [self::stored($user), self::unread($user)]);
        ChatPush\sendMessage(2, $user, 'another sender', message_id: 'order 7');
        ChatPush\sendMessage(1, $other, 'another receiver', message_id: 'order 7');
        ChatPush\sendMessage(1, $user, 'another id', message_id: 'order 7 ');
        self::assertSame(['first', 'another sender', 'another id'], self::stored($user));
        self::assertSame(['another receiver'], self::stored($other));
    }

    public function testRepeatedSendReturnsTheFirstResult(): void
    {
        $user = self::newUser();
        $socket = new WebSocket(self::token($user));
        $socket->untilUnreadCount();
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, $user, 'x', message_id: 'live'));
        $socket->message();
        $socket->close();
        eventually('the user is offline', fn () => !ChatPush\isOnline($user));
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, $user, 'x', message_id: 'live'));
    }

    /** Also after its key in Redis has expired. */
    public function testMessageIdIsKnownWhileTheRowExists(): void
    {
        $user = self::newUser();
        ChatPush\sendMessage(1, $user, 'first', message_id: 'long ago');
        // As if the key had expired, or Redis had lost it.
        self::assertSame(
            1,
            Stack::redis()->call(
                'DEL',
                sprintf('%s:{%s}:seen:%d:1:long ago', Stack::prefix(), self::tag($user), $user),
            ),
        );
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(1, $user, 'again', message_id: 'long ago'));
        self::assertSame([['first'], 1], [self::stored($user), self::unread($user)]);
    }

    public function testConcurrentSendsWithTheSameIdAreOneMessage(): void
    {
        $user = self::newUser();
        $code = 'for ($i = 0; $i < 50; $i++)
            echo ChatPush\sendMessage(1, (int) $argv[1], "m$i", message_id: "m$i")->name[0];';
        $processes = $outputs = [];
        for ($i = 0; $i < 4; $i++) {
            $command = [PHP_BINARY, ...self::options(), '-r', $code, '--', (string) $user];
            $processes[] = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
            $outputs[] = $pipes[1];
        }
        self::assertSame(array_fill(0, 4, str_repeat('S', 50)), array_map('stream_get_contents', $outputs));
        array_map('proc_close', $processes);
        $stored = self::stored($user);
        sort($stored, SORT_NATURAL);
        self::assertSame(array_map(fn (int $i) => "m$i", range(0, 49)), $stored);
        self::assertSame(50, self::unread($user));
    }
}
