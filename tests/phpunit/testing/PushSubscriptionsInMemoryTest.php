<?php

declare(strict_types=1);

use ChatPush\Testing\Server;

/** Subscriptions to Web Push, in php/testing. */
final class PushSubscriptionsInMemoryTest extends PromisesTestCase
{
    /** The keys are those of RFC 8291, appendix A. */
    private const KEYS = '{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXv'
        . 'TBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}';

    public function testAnEndpointIsOneUsersAndAUserHasTwenty(): void
    {
        Server::allowWebPush();
        foreach (range(1, 22) as $number) {
            ChatPush\savePushSubscription(7, self::subscription($number));
        }
        $saved = Server::pushEndpoints(7);
        self::assertSame([20, 'https://push.example/3'], [count($saved), $saved[0]]);
        ChatPush\savePushSubscription(8, self::subscription(3));
        self::assertSame([19, ['https://push.example/3']], [count(Server::pushEndpoints(7)), Server::pushEndpoints(8)]);
        ChatPush\forgetUser(8);
        self::assertSame([], Server::pushEndpoints(8));
    }

    /** @dataProvider wrong */
    public function testWhatIsWrongIsNamed(string $rule, string $json): void
    {
        Server::allowWebPush();
        $this->expectException(ValueError::class);
        $start = 'ChatPush\savePushSubscription(): Argument #2 ($subscription_json) must ';
        $this->expectExceptionMessage($start . $rule);
        ChatPush\savePushSubscription(7, $json);
    }

    public function wrong(): iterable
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

    public function testItIsOffByDefault(): void
    {
        $this->expectException(ChatPush\Exception::class);
        $this->expectExceptionMessage('[web_push]');
        ChatPush\savePushSubscription(7, self::subscription(1));
    }

    private static function subscription(int $number): string
    {
        return '{"endpoint":"https://push.example/' . $number . '","keys":' . self::KEYS . '}';
    }
}
