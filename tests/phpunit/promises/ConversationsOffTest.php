<?php

declare(strict_types=1);

/** An installation without `unread_by_conversation`. */
final class ConversationsOffTest extends PromisesTestCase
{
    public function testCallsThatNeedTheSettingNameIt(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'a', conversation: 'team');
        $calls = [
            fn () => ChatPush\getUnreadCounts($user),
            fn () => ChatPush\clearUnreadCount($user, 'team'),
        ];
        foreach ($calls as $call) {
            $thrown = self::assertFails(ChatPush\Exception::class, ChatPush\Outcome::NotQueued, false, $call);
            $text = 'conversations are not counted: set unread_by_conversation = true in chatpushd';
            self::assertStringStartsWith($text, $thrown->getMessage());
        }
        self::assertSame(1, getUnreadCount($user));
        ChatPush\clearUnreadCount($user);
        self::assertSame(0, getUnreadCount($user));
    }
}
