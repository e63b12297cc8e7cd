<?php

declare(strict_types=1);

/** An installation without [web_push]. */
final class PushSubscriptionsOffTest extends PromisesTestCase
{
    public function testCallsThatNeedTheSettingNameIt(): void
    {
        $user = $this->installation->newUser();
        // The keys are those of RFC 8291, appendix A.
        $json = '{"endpoint":"https://push.example/a","keys":{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx'
            . 'aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}';
        $calls = [
            fn () => ChatPush\savePushSubscription($user, $json),
            fn () => ChatPush\removePushSubscription($user, 'https://push.example/a'),
        ];
        foreach ($calls as $call) {
            $thrown = self::assertFails(ChatPush\Exception::class, ChatPush\Outcome::NotQueued, false, $call);
            self::assertStringStartsWith('Web Push is off: set [web_push] in chatpushd', $thrown->getMessage());
        }
    }
}
