<?php

declare(strict_types=1);

use ChatPush\Delivery;

/** An installation with user_id_type = "text": `"10" == "1e1"` in PHP, and they are two users. */
final class TextIdsTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::TextIds];

    private const ALIKE = ['10', '1e1', '010', '10.0'];

    protected function tearDown(): void
    {
        array_map(ChatPush\forgetUser(...), self::ALIKE);
        parent::tearDown();
    }

    public function testEachTextIsAMailboxOfItsOwn(): void
    {
        foreach (self::ALIKE as $user) {
            ChatPush\sendMessage('7', $user, "to $user", message_id: 'a');
        }
        foreach (self::ALIKE as $user) {
            $rows = getOfflineMessage($user);
            self::assertSame(["to $user"], array_column($rows, 'content'));
            self::assertSame([$user, '7'], [$rows[0]['receiver_id'], $rows[0]['sender_id']]);
        }
        self::assertSame(0, ChatPush\ackOfflineMessage('1e1', array_column(getOfflineMessage('10'), 'id')));
        self::assertFalse(ChatPush\recallMessage('07', '10', 'a'), 'of another sender');
        self::assertTrue(ChatPush\recallMessage('7', '10', 'a'));
        $left = array_map(fn (string $user) => count(getOfflineMessage($user)), self::ALIKE);
        self::assertSame([0, 1, 1, 1], $left);
        ChatPush\forgetUser('1e1');
        self::assertSame(['to 010'], array_column(getOfflineMessage('010'), 'content'));
    }

    public function testAPageOfOneIsNoPageOfAnother(): void
    {
        ChatPush\sendMessage('7', '010', 'waits');
        $this->installation->connect('10');
        $this->installation->enter('10', 'team');
        self::assertSame(['10'], ChatPush\getOnlineUsers(self::ALIKE));
        self::assertSame(['10'], ChatPush\getRoomUsers('team'));
        self::assertSame(Delivery::Stored, ChatPush\sendMessage('7', '1e1', 'away'));
        self::assertSame(Delivery::Live, ChatPush\sendMessage('7', '10', 'hello'));
        self::assertTrue(ChatPush\pushToAll('all', 'chat'));
        self::assertSame(['hello', 'all'], array_column($this->installation->messages('10'), 'data'));
        eventually('the row is deleted', fn () => getOfflineMessage('10') === []);
        self::assertSame(['waits'], array_column(getOfflineMessage('010'), 'content'));
    }
}
