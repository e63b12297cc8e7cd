<?php

declare(strict_types=1);

foreach (['interfaces', 'PushConnection', 'PushConnections', 'Chat'] as $file) {
    require_once __DIR__ . "/../../../examples/ratchet/src/$file.php";
}

/** The component of examples/ratchet, with a running daemon. */
final class RatchetExampleTest extends ChatPushTestCase
{
    public function testPrivateMessageReachesTheReceiver(): void
    {
        [$ann, $ben, $cat] = [self::newUser(), self::newUser(), self::newUser()];
        [$toAnn, $toBen] = [self::connect($ann), self::connect($ben)];
        $chat = self::chat([]);
        $send = fn (int $to) => $chat->onMessage(
            new PushConnection($ann),
            json_encode(['command' => 'private', 'to' => $to, 'text' => 'hello', 'from' => 1]),
        );
        $send($ben);
        $message = $toBen->message();
        self::assertSame('ratchet', $message['type']);
        $shown = json_decode($message['data'], true);
        self::assertSame(['hello', $ann], [$shown['text'], $shown['from']], 'the sender cannot be forged');
        $send($cat);
        self::assertSame('{"command":"offline","to":' . $cat . '}', $toAnn->message()['data']);
    }

    public function testGroupMessageReachesTheOthers(): void
    {
        [$ann, $ben, $cat] = $members = [self::newUser(), self::newUser(), self::newUser()];
        [$toAnn, $toBen, $toCat] = array_map(self::connect(...), $members);
        $chat = self::chat(['team' => $members]);
        $message = json_encode(['command' => 'group', 'group' => 'team', 'text' => 'hello all']);
        $chat->onMessage(new PushConnection($ann), $message);
        pushMessage($ann, 'end', 'text');
        foreach ([$toBen, $toCat] as $page) {
            self::assertSame('hello all', json_decode($page->message()['data'], true)['text']);
        }
        self::assertSame('end', $toAnn->message()['data'], 'the sender gets none');
    }

    public function testUnknownCommandEndsTheConnections(): void
    {
        $ann = self::newUser();
        $page = self::connect($ann);
        $chat = self::chat([]);
        $chat->onOpen(new PushConnection($ann));
        $chat->onMessage(new PushConnection($ann), 'nonsense');
        $closed = self::expectThrown(RuntimeException::class, fn () => $page->message());
        self::assertSame('closed with 4403', $closed->getMessage());
        $chat->onClose(new PushConnection($ann));
    }

    /** @param array<string, list<int>> $groups */
    private static function chat(array $groups): Chat
    {
        return new Chat(fn (string $group) => $groups[$group] ?? []);
    }

    private static function connect(int $user): WebSocket
    {
        $socket = new WebSocket(self::token($user));
        self::assertSame([[], 0], $socket->untilUnreadCount());
        return $socket;
    }
}
