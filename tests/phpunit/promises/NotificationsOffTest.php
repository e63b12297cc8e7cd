<?php

declare(strict_types=1);

/** An installation without notify.after. */
final class NotificationsOffTest extends PromisesTestCase
{
    public function testCallsThatNeedTheSettingNameIt(): void
    {
        self::assertSame(0, ChatPush\markNotified([]));
        $user = $this->installation->newUser();
        $calls = [fn () => ChatPush\getDueNotifications(), fn () => ChatPush\markNotified([$user])];
        foreach ($calls as $call) {
            $thrown = self::assertFails(ChatPush\Exception::class, ChatPush\Outcome::NotQueued, false, $call);
            self::assertStringContainsString('set notify.after in chatpushd', $thrown->getMessage());
        }
    }
}
