<?php

declare(strict_types=1);

/** Unread messages by conversation. */
final class ConversationsTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::UnreadByConversation];

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

    public function testRecalledMessageIsTakenFromItsConversation(): void
    {
        $user = $this->installation->newUser();
        foreach (['a' => 'team', 'b' => 'team', 'c' => null] as $id => $conversation) {
            ChatPush\sendMessage(1, $user, 'text', message_id: $id, conversation: $conversation);
        }
        self::assertTrue(ChatPush\recallMessage(1, $user, 'a'));
        self::assertTrue(ChatPush\recallMessage(1, $user, 'c'));
        self::assertSame(['team' => 1], ChatPush\getUnreadCounts($user));
        ChatPush\clearUnreadCount($user, 'team');
        ChatPush\sendMessage(1, $user, 'text', conversation: 'team');
        self::assertTrue(ChatPush\recallMessage(1, $user, 'b'));
        self::assertSame(['team' => 1], ChatPush\getUnreadCounts($user));
        self::assertSame(1, getUnreadCount($user));
        ChatPush\forgetUser($user);
        self::assertSame([], ChatPush\getUnreadCounts($user));
    }

    /** PHP makes integers of keys that are digits. */
    public function testKeysAreConversations(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'a');
        ChatPush\sendMessage(1, $user, 'b', conversation: 'team');
        foreach (ChatPush\getUnreadCounts($user) as $conversation => $count) {
            ChatPush\clearUnreadCount($user, $conversation);
        }
        self::assertSame(0, getUnreadCount($user));
        foreach (['7' => 'group 7', 'team' => 'the team'] as $conversation => $content) {
            ChatPush\sendMessage(1, $user, $content, conversation: $conversation);
            ChatPush\sendToUsers(1, [$user], $content, conversation: $conversation);
        }
        self::assertSame([7 => 2, 'team' => 2], ChatPush\getUnreadCounts($user));
    }

    public function testTotalOfTheApplicationBelowThePartsStays(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'a', conversation: 'team');
        ChatPush\sendMessage(1, $user, 'b', conversation: 'team');
        $this->installation->setUnread($user, 1);
        ChatPush\clearUnreadCount($user, 'team');
        self::assertSame(0, getUnreadCount($user), 'never below 0');
    }

    /** A message from before the application's 0 is not counted, so that its recall takes nothing from others. */
    public function testRecallOfWhatTheApplicationHasClearedTakesNothing(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'first', message_id: 'a');
        $this->installation->setUnread($user, 0);
        ChatPush\sendMessage(3, $user, 'second', message_id: 'b');
        self::assertTrue(ChatPush\recallMessage(1, $user, 'a'));
        self::assertSame([3 => 1], ChatPush\getUnreadCounts($user));
        self::assertSame(1, getUnreadCount($user));
        self::assertTrue(ChatPush\recallMessage(3, $user, 'b'));
        self::assertSame(0, getUnreadCount($user));
    }

    public function testMessageToManyCountsForEachReceiver(): void
    {
        [$one, $two] = [$this->installation->newUser(), $this->installation->newUser()];
        ChatPush\sendToUsers(1, [$one, $two], 'a', conversation: 'team');
        ChatPush\sendToUsers(1, [$one], 'b');
        self::assertSame([1 => 1, 'team' => 1], ChatPush\getUnreadCounts($one));
        self::assertSame(['team' => 1], ChatPush\getUnreadCounts($two));
    }
}
