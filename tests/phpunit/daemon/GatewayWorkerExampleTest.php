<?php

declare(strict_types=1);

use GatewayWorker\Lib\Gateway;

require_once __DIR__ . '/../../../examples/gateway-worker/src/Gateway.php';
require_once __DIR__ . '/../../../examples/gateway-worker/src/Events.php';

/** The event code of examples/gateway-worker, with a running daemon. */
final class GatewayWorkerExampleTest extends ChatPushTestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        $_SESSION = [];
    }

    public function testMessageReachesTheReceiver(): void
    {
        [$visitor, $staff] = [self::newUser(), self::newUser()];
        $page = self::connect($staff);
        $fields = ['to_id' => (string) $staff, 'from_id' => $visitor, 'content' => '<b>hello</b>'];
        self::event($visitor, 'chatMessage', $fields);
        $message = $page->message();
        self::assertSame('gateway', $message['type']);
        $shown = json_decode($message['data'], true);
        self::assertSame('chatMessage', $shown['cmd']);
        self::assertSame('&lt;b&gt;hello&lt;/b&gt;', $shown['data']['content']);
        self::event($staff, 'ping', []);
        self::assertSame('pong', json_decode($page->message()['data'], true)['cmd']);
        self::event($staff, 'nonsense', []);
        self::assertSame('error', json_decode($page->message()['data'], true)['cmd']);
    }

    public function testTransferReachesBothOrSaysThatNobodyIsThere(): void
    {
        [$visitor, $staff, $other] = $users = [self::newUser(), self::newUser(), self::newUser()];
        [$toVisitor, $toStaff] = [self::connect($visitor), self::connect($staff)];
        self::event($staff, 'transfer', ['to' => $other, 'customer_id' => $visitor]);
        self::assertStringContainsString('nobody is there', $toStaff->message()['data']);
        $toOther = self::connect($other);
        self::event($staff, 'transfer', ['to' => $other, 'customer_id' => $visitor]);
        foreach ([$toVisitor, $toOther] as $page) {
            self::assertSame('transferred', json_decode($page->message()['data'], true)['cmd']);
        }
    }

    public function testOnlyStaffCanCloseAVisitor(): void
    {
        [$visitor, $staff] = [self::newUser(), self::newUser()];
        $page = self::connect($visitor);
        self::event($visitor, 'closeUser', ['customer_id' => $visitor]);
        self::assertSame(1, Gateway::isUidOnline((string) $visitor));
        $_SESSION['staff'] = true;
        $channel = new RedisConnection(Stack::redisUrl());
        $channel->subscribe(self::channel(Stack::prefix(), $visitor));
        self::event($staff, 'closeUser', ['customer_id' => $visitor]);
        self::assertStringContainsString('isClose', $channel->message());
        // It counts as a connection.
        unset($channel);
        // The page sees what was pushed right before its connection is ended.
        self::assertSame('isClose', json_decode($page->message()['data'], true)['cmd']);
        $closed = self::expectThrown(RuntimeException::class, fn () => $page->message());
        self::assertSame('closed with 4403', $closed->getMessage());
        eventually('the visitor is gone', fn () => Gateway::getClientIdByUid($visitor) === []);
    }

    public function testGroupsAreRooms(): void
    {
        [$ann, $ben] = [self::newUser(), self::newUser()];
        $shop = 'shop' . bin2hex(random_bytes(4));
        [$toAnn, $toBen] = [self::inGroup($ann, "shop:$shop"), self::inGroup($ben, "shop:$shop")];
        self::assertTrue(Gateway::sendToGroup("shop:$shop", 'to both'));
        foreach ([$toAnn, $toBen] as $page) {
            self::assertSame('to both', $page->message()['data']);
        }
        self::event($ann, 'notice', ['shop' => $shop, 'text' => 'to the others']);
        self::assertStringContainsString('to the others', $toBen->message()['data']);
        self::assertTrue(Gateway::sendToAll('to all'));
        self::assertSame('to all', $toAnn->message()['data']);
        self::assertTrue(Gateway::sendToAll('to the list', [$ann, $ben], $ann));
        self::assertSame(['to all', 'to the list'], [$toBen->message()['data'], $toBen->message()['data']]);
        $list = Gateway::getUidListByGroup("shop:$shop");
        self::assertEqualsCanonicalizing([$ann, $ben], array_keys($list));
        self::assertSame(2, Gateway::getClientIdCountByGroup("shop:$shop"));
    }

    public function testDisconnectEventsAreFound(): void
    {
        [$staff, $here, $gone] = [self::newUser(), self::newUser(), self::newUser()];
        [$toStaff, $toHere] = [self::inGroup($staff, 'staff'), self::connect($here)];
        $command = [PHP_BINARY, ...self::options(), '-d', 'chatpush.prefix=' . Stack::prefix()];
        $command[] = __DIR__ . '/../../../examples/gateway-worker/disconnected.php';
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes);
        fwrite($pipes[0], "$here\n$gone\n");
        fclose($pipes[0]);
        self::assertSame("$gone\n", stream_get_contents($pipes[1]));
        self::assertSame(0, proc_close($process));
        $event = json_decode($toStaff->message()['data'], true);
        self::assertSame(['offline', $gone], [$event['cmd'], $event['data']['customer_id']]);
        $toHere->close();
    }

    /** @dataProvider impossible */
    public function testWhatCannotBeHadSaysWhatToDo(string $message, callable $call): void
    {
        $thrown = self::expectThrown(BadMethodCallException::class, $call);
        self::assertStringContainsString($message, $thrown->getMessage());
    }

    public static function impossible(): iterable
    {
        yield ['getAllUidList() cannot be had with chatpush: nobody', fn () => Gateway::getAllUidList()];
        yield ['ask ChatPush\getOnlineUsers()', fn () => Gateway::getAllClientIdCount()];
        yield ['keep it in $_SESSION', fn () => Gateway::setSession(1, [])];
        yield ['end it with closeClient()', fn () => Gateway::unbindUid(1, 1)];
        yield ['sign grants without it', fn () => Gateway::ungroup('a')];
        yield ['see the README', fn () => Gateway::somethingNew()];
        yield ['let the page ignore its own', fn () => Gateway::sendToAll('x', null, [1])];
        yield ['encode bytes as Base64', fn () => Gateway::sendToGroup('a', 'x', null, true)];
        yield ['sign in as 2 first', fn () => Gateway::bindUid(1, 2)];
        yield ['call it from an event', fn () => Gateway::sendToCurrentClient('x')];
        yield [
            'run event code before session_write_close()',
            fn () => Gateway::handle(1, fn () => Gateway::joinGroup(1, 'a')),
        ];
        yield [
            'let them join themselves',
            fn () => Gateway::handle(1, fn () => Gateway::joinGroup(2, 'a')),
        ];
    }

    private static function event(int $user, string $command, array $fields): void
    {
        $data = json_encode(['cmd' => $command, 'data' => $fields]);
        Gateway::handle($user, fn () => Events::onMessage($user, $data));
    }

    private static function connect(int $user): WebSocket
    {
        $socket = new WebSocket(self::token($user), 'chatpush.v1');
        self::assertSame([[], 0], $socket->untilUnreadCount());
        return $socket;
    }

    /** Connects a page, whose grant names the group that event code has joined. */
    private static function inGroup(int $user, string $group): WebSocket
    {
        $socket = self::connect($user);
        $code = 'require $argv[1]; use GatewayWorker\Lib\Gateway; $user = (int) $argv[2];'
            . 'session_start(["save_path" => sys_get_temp_dir(), "use_cookies" => 0]);'
            . 'echo Gateway::handle($user, function () use ($user, $argv) {'
            . '    Gateway::joinGroup($user, $argv[3]);'
            . '    Gateway::joinGroup($user, "left"); Gateway::leaveGroup($user, "left");'
            . '    return Gateway::grant($user);'
            . '}); session_destroy();';
        $file = __DIR__ . '/../../../examples/gateway-worker/src/Gateway.php';
        $settings = ['chatpush.secret' => Stack::secret()];
        $grant = (new Script($code, $settings, $file, (string) $user, $group))->output;
        $socket->text(json_encode(['grant' => $grant]));
        self::assertArrayHasKey('until', $socket->message(), $grant);
        return $socket;
    }
}
