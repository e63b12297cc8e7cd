<?php

declare(strict_types=1);

/** Unread messages by conversation in php/testing. */
final class ConversationsInMemoryTest extends PromisesTestCase
{
    public function testMessagesCountForTheirConversation(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'a');
        ChatPush\sendMessage(1, $user, 'b', conversation: 'team');
        storeOfflineMessage(3, $user, 'c');
        self::assertSame([1 => 1, 3 => 1, 'team' => 1], ChatPush\getUnreadCounts($user));
        ChatPush\clearUnreadCount($user, 'team');
        self::assertSame([1 => 1, 3 => 1], ChatPush\getUnreadCounts($user));
        self::assertSame(2, getUnreadCount($user));
        ChatPush\clearUnreadCount($user, 'nothing');
        self::assertSame(2, getUnreadCount($user));
        $this->installation->setUnread($user, 0);
        self::assertSame([], ChatPush\getUnreadCounts($user));
        storeOfflineMessage(3, $user, 'd');
        self::assertSame([3 => 1], ChatPush\getUnreadCounts($user));
        ChatPush\clearUnreadCount($user);
        self::assertSame([], ChatPush\getUnreadCounts($user));
    }
}
