<?php

declare(strict_types=1);

/** Subscriptions to Web Push. */
final class PushSubscriptionsTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::WebPush];

    /** The keys are those of RFC 8291, appendix A. */
    private const KEYS = '{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXv'
        . 'TBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}';

    public function testAnEndpointIsOneUsersAndAUserHasTwenty(): void
    {
        [$user, $other] = [$this->installation->newUser(), $this->installation->newUser()];
        foreach (range(1, 20) as $number) {
            ChatPush\savePushSubscription($user, self::subscription($number));
        }
        // It is known, and stays the oldest.
        ChatPush\savePushSubscription($user, self::subscription(1));
        foreach ([21, 22] as $number) {
            ChatPush\savePushSubscription($user, self::subscription($number));
        }
        $saved = $this->installation->pushEndpoints($user);
        self::assertSame([20, self::endpoint(3)], [count($saved), $saved[0]]);
        ChatPush\savePushSubscription($other, self::subscription(3));
        self::assertCount(19, $this->installation->pushEndpoints($user));
        self::assertSame([self::endpoint(3)], $this->installation->pushEndpoints($other));
        ChatPush\savePushSubscription($user, self::subscription(3));
        self::assertSame(self::endpoint(3), $this->installation->pushEndpoints($user)[19], 'as a new one');
        self::assertFalse(ChatPush\removePushSubscription($other, self::endpoint(3)), 'it is not theirs');
        self::assertTrue(ChatPush\removePushSubscription($user, self::endpoint(3)));
        self::assertFalse(ChatPush\removePushSubscription($user, self::endpoint(3)));
        self::assertCount(19, $this->installation->pushEndpoints($user));
        ChatPush\forgetUser($user);
        self::assertSame([], $this->installation->pushEndpoints($user));
    }

    /** @dataProvider wrong */
    public function testWhatIsWrongIsNamed(string $rule, string $json): void
    {
        $this->expectException(ValueError::class);
        $start = 'ChatPush\savePushSubscription(): Argument #2 ($subscription_json) must ';
        $this->expectExceptionMessage($start . $rule);
        ChatPush\savePushSubscription(7, $json);
    }

    public static function wrong(): iterable
    {
        $with = fn (string $endpoint, string $keys) => "{\"endpoint\":\"$endpoint\",\"keys\":$keys}";
        yield 'long' => ['have at most 2048 bytes', str_repeat(' ', 2_049)];
        yield 'no JSON' => ['be a PushSubscription as JSON', '{'];
        yield 'a list' => ['be a PushSubscription as JSON', '[]'];
        yield 'a number' => ['be a PushSubscription as JSON', '{"endpoint":5}'];
        yield 'http' => ['have an endpoint', $with('http://push.example/', self::KEYS)];
        yield 'no keys' => ['have keys.p256dh', $with('https://push.example/', '{}')];
        yield 'no secret' => ['have keys.auth', $with('https://push.example/', strtr(self::KEYS, ['BTBZ' => '']))];
    }

    public function testAnEndpointIsAnAddress(): void
    {
        $start = 'ChatPush\removePushSubscription(): Argument #2 ($endpoint) must be ';
        foreach (['', 'http://push.example/', 'https://push.example/' . str_repeat('x', 1_500)] as $wrong) {
            $thrown = self::expectThrown(ValueError::class, fn () => ChatPush\removePushSubscription(7, $wrong));
            self::assertSame("{$start}an https address of at most 1500 bytes", $thrown->getMessage());
        }
    }

    private static function endpoint(int $number): string
    {
        static $test;
        $test ??= bin2hex(random_bytes(4));
        return "https://push.example/$test/$number";
    }

    private static function subscription(int $number): string
    {
        return '{"endpoint":"' . self::endpoint($number) . '","keys":' . self::KEYS . '}';
    }
}
