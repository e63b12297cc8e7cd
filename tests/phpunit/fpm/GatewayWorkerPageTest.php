<?php

declare(strict_types=1);

/** event.php of examples/gateway-worker: a page whose event code joins groups gets a grant for them. */
final class GatewayWorkerPageTest extends ChatPushTestCase
{
    use ExamplePages;

    private const PAGE = '../gateway-worker/event.php';

    public function testEventCodeRunsForTheUserWhoIsSignedIn(): void
    {
        $user = self::registered('gateway');
        self::assertSame(401, $this->event(self::PAGE, '{}')[0]);
        $this->signIn("gateway $user");
        self::assertSame(403, $this->request(self::PAGE, '{}')[0], 'a form of another site');
        $socket = new WebSocket($this->get('token.php'), 'chatpush.v1');
        $socket->untilUnreadCount();
        $shop = bin2hex(random_bytes(4));
        $init = fn (int $uid) => json_encode(['cmd' => 'init', 'data' => ['uid' => $uid, 'shop' => $shop]]);
        [$status, $body] = $this->event(self::PAGE, $init($user));
        self::assertSame(200, $status, $body);
        self::assertSame('{"regrouped":true}', $body);
        self::assertSame('ready', json_decode($socket->message()['data'], true)['cmd']);
        self::assertSame('{"regrouped":false}', $this->event(self::PAGE, $init($user))[1]);
        self::assertSame('ready', json_decode($socket->message()['data'], true)['cmd']);
        $socket->text(json_encode(['grant' => $this->get('../gateway-worker/grant.php')]));
        self::assertArrayHasKey('until', $socket->message());
        self::assertTrue(ChatPush\pushToRoom("shop:$shop", 'to the shop', 'gateway'));
        self::assertSame('to the shop', $socket->message()['data']);
        [$status, $body] = $this->event(self::PAGE, $init($user + 1));
        self::assertSame(422, $status);
        self::assertStringContainsString('this connection belongs to user', $body);
    }
}
