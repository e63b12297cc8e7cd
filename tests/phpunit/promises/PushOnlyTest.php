<?php

declare(strict_types=1);

/** An installation with storage = "none". */
final class PushOnlyTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::PushOnly];

    public function testWhatStoresOrReadsIsRefused(): void
    {
        $user = $this->installation->newUser();
        $this->installation->connect($user);
        foreach (self::storageCalls($user) as $name => [, $call]) {
            $class = ChatPush\UnavailableException::class;
            $thrown = self::assertFails($class, ChatPush\Outcome::NotQueued, false, $call, $name);
            self::assertStringContainsString('chatpushd has storage = "none"', $thrown->getMessage(), $name);
        }
        self::assertSame([], $this->installation->messages($user));
    }

    public function testWhatIsLiveWorks(): void
    {
        $user = $this->installation->newUser();
        $this->installation->connect($user);
        $this->installation->enter($user, 'room');
        foreach (self::liveCalls($user) as $name => $call) {
            self::assertContains($call(), [true, [$user]], $name);
        }
        self::assertTrue(ChatPush\ping());
        ChatPush\forgetUser($user);
        eventually('nothing else is kept of a user', fn () => !ChatPush\isOnline($user));
    }
}
