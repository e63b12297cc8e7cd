<?php

declare(strict_types=1);

/** Users of whom somebody is to be told: they have not read their messages. */
final class UnreadNotificationsTest extends DueTestCase
{
    protected const SETTINGS = [Setting::NotifyOfUnread];

    public function testUnreadMessagesAreToldUntilTheyAreRead(): void
    {
        $user = $this->installation->newUser();
        $this->installation->connect($user);
        storeOfflineMessage(1, $user, 'a');
        $this->installation->messages($user);
        eventually('the row is deleted', fn () => getOfflineMessage($user) === []);
        $due = ['user_id' => $user, 'waiting' => 0, 'unread' => 1, 'first_time' => null, 'last' => null];
        self::assertSame($due, $this->due($user));
        self::assertSame(1, ChatPush\markNotified([$user]));
        storeOfflineMessage(1, $user, 'b');
        $this->areNotDue($user);
        self::assertSame(0, ChatPush\markNotified([$user]));
        ChatPush\clearUnreadCount($user);
        storeOfflineMessage(1, $user, 'c');
        self::assertSame(1, $this->due($user)['unread']);
    }
}
