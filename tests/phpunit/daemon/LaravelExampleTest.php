<?php

declare(strict_types=1);

use Illuminate\Broadcasting\BroadcastException;
use Illuminate\Support\Facades\Broadcast;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

require_once __DIR__ . '/../support/LaravelApplication.php';

/** The broadcaster of examples/laravel, with a running daemon and in place of Laravel its declarations. */
final class LaravelExampleTest extends ChatPushTestCase
{
    public function testEventReachesThePagesInItsChannels(): void
    {
        $user = self::newUser();
        $room = bin2hex(random_bytes(4));
        $answer = self::answer($user, ['private-team.5', "news-$room"]);
        $socket = new WebSocket($answer['token'], 'chatpush.v1');
        $socket->untilUnreadCount();
        $socket->text(json_encode(['grant' => $answer['grant']]));
        self::assertArrayHasKey('until', $socket->message());
        (new App\Providers\AppServiceProvider())->boot();
        $broadcaster = Broadcast::$drivers['chatpush']();
        $channels = ['private-team.5', "news-$room", 'private-team.6'];
        $broadcaster->broadcast($channels, 'MessageSent', ['text' => 'hello', 'socket' => '1.2']);
        foreach (['private-team.5', "news-$room"] as $channel) {
            $message = $socket->message();
            self::assertSame(['event', $channel], [$message['type'], $message['room']]);
            self::assertSame('{"event":"MessageSent","data":{"text":"hello"}}', $message['data']);
        }
        pushMessage($user, 'the end', 'text');
        self::assertSame('the end', $socket->message()['data'], 'nothing of another team');
    }

    public function testChannelsAreChecked(): void
    {
        $deny = AccessDeniedHttpException::class;
        foreach ([[7, 'private-team.6'], [7, 'presence-nowhere'], [null, 'news']] as [$user, $channel]) {
            $request = LaravelApplication::request($user, [$channel]);
            self::expectThrown($deny, fn () => LaravelApplication::broadcaster()->auth($request));
        }
    }

    public function testFailureIsOneOfLaravel(): void
    {
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        ini_set('chatpush.timeout_ms', '100');
        $broadcast = fn () => LaravelApplication::broadcaster()->broadcast(['news'], 'Posted');
        $thrown = self::expectThrown(BroadcastException::class, $broadcast);
        self::assertInstanceOf(ChatPush\ConnectionException::class, $thrown->getPrevious());
        $channels = ['a channel with spaces'];
        $broadcast = fn () => LaravelApplication::broadcaster()->broadcast($channels, 'Posted');
        $thrown = self::expectThrown(BroadcastException::class, $broadcast);
        self::assertStringContainsString('$room', $thrown->getMessage());
    }

    /** What auth() answers in a process that has chatpush.secret. */
    private static function answer(int $user, array $channels): array
    {
        $code = <<<'PHP'
            require $argv[1];
            $request = LaravelApplication::request((int) $argv[2], json_decode($argv[3], true));
            echo json_encode(LaravelApplication::broadcaster()->auth($request));
            PHP;
        $file = __DIR__ . '/../support/LaravelApplication.php';
        $settings = ['chatpush.secret' => Stack::secret()];
        $script = new Script($code, $settings, $file, (string) $user, json_encode($channels));
        return json_decode($script->output, true, 512, JSON_THROW_ON_ERROR);
    }
}
