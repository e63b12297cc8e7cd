<?php

declare(strict_types=1);

use ChatPush\Testing\Server;

/** Users of whom somebody is to be told, in php/testing. */
final class NotificationsInMemoryTest extends PromisesTestCase
{
    public function testAbsentUserIsDueOnce(): void
    {
        Server::notify();
        ChatPush\sendMessage(1, 7, 'first', message_id: 'a');
        ChatPush\sendMessage(3, 7, 'second', 5, 'b');
        Server::connect(8, confirms: false);
        ChatPush\sendMessage(1, 8, 'there');
        [$due] = ChatPush\getDueNotifications(lease_seconds: 1);
        self::assertSame([7, 2, 2], [$due['user_id'], $due['waiting'], $due['unread']]);
        self::assertLessThanOrEqual($due['last']['time'], $due['first_time']);
        unset($due['last']['time']);
        $last = ['message_id' => '3:b', 'sender_id' => 3, 'type' => 5, 'content' => 'second'];
        self::assertSame($last, $due['last']);
        self::assertSame([], ChatPush\getDueNotifications(), 'leased');
        self::assertSame(1, ChatPush\markNotified([7, 8, 9]));
        self::assertSame(0, ChatPush\markNotified([7]));
        storeOfflineMessage(1, 7, 'third');
        self::assertSame([], ChatPush\getDueNotifications(), 'told');
        Server::connect(7);
        Server::disconnect(7);
        storeOfflineMessage(1, 7, 'fourth');
        self::assertSame([7], array_column(ChatPush\getDueNotifications(), 'user_id'));
    }

    public function testUnreadMessagesAreToldUntilTheyAreRead(): void
    {
        Server::notify(unread: true);
        Server::connect(7);
        storeOfflineMessage(1, 7, 'a');
        $due = ['user_id' => 7, 'waiting' => 0, 'unread' => 1, 'first_time' => null, 'last' => null];
        self::assertSame([$due], ChatPush\getDueNotifications());
        self::assertSame(1, ChatPush\markNotified([7]));
        storeOfflineMessage(1, 7, 'b');
        self::assertSame(0, ChatPush\markNotified([7]));
        ChatPush\clearUnreadCount(7);
        storeOfflineMessage(1, 7, 'c');
        self::assertCount(1, ChatPush\getDueNotifications(1, 86_400));
    }

    public function testNobodyIsToldWithoutTheSetting(): void
    {
        self::assertSame(0, ChatPush\markNotified([]));
        $this->expectException(ChatPush\Exception::class);
        $this->expectExceptionMessage('notify.after');
        ChatPush\getDueNotifications();
    }
}
