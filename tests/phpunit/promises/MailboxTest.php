<?php

declare(strict_types=1);

use ChatPush\Delivery;

/** What is stored, counted and removed. */
final class MailboxTest extends PromisesTestCase
{
    public function testStoredMessagesWaitAndCount(): void
    {
        $user = $this->installation->newUser();
        self::assertTrue(storeOfflineMessage(1, $user, 'first'));
        self::assertSame(Delivery::Stored, ChatPush\sendMessage(2, $user, 'second', 'chat'));
        $rows = getOfflineMessage($user);
        self::assertSame(['first', 'second'], array_column($rows, 'content'));
        self::assertSame([1, 2], array_column($rows, 'sender_id'));
        self::assertSame([$user, $user], array_column($rows, 'receiver_id'));
        $columns = ['id', 'sender_id', 'receiver_id', 'content', 'send_time', 'message_id'];
        self::assertSame($columns, array_keys($rows[0]));
        self::assertMatchesRegularExpression('/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/', $rows[0]['send_time']);
        self::assertSame(['first'], array_column(ChatPush\getOfflineMessage($user, 1), 'content'));
        self::assertSame([$rows[1]], getOfflineMessage($user, after_id: $rows[0]['id']));
        self::assertSame(2, getUnreadCount($user));
    }

    public function testSendToUsersIsOnceForEach(): void
    {
        $users = array_map(fn () => $this->installation->newUser(), range(1, 3));
        $this->installation->connect($users[1]);
        $list = [$users[2], $users[1], $users[2]];
        $send = fn (array $list, string $text) => ChatPush\sendToUsers(7, $list, $text, 'chat', 'id', 'team');
        $sent = [$users[2] => Delivery::Stored, $users[1] => Delivery::Live];
        self::assertSame($sent, $send($list, 'to all'));
        self::assertSame([$users[0] => Delivery::Stored] + $sent, $send([$users[0], ...$list], 'again'));
        self::assertSame(['again'], array_column(getOfflineMessage($users[0]), 'content'));
        self::assertSame(['to all'], array_column(getOfflineMessage($users[2]), 'content'));
        self::assertSame([1, 1, 1], array_map(getUnreadCount(...), $users));
        [$shown] = $this->installation->messages($users[1]);
        self::assertSame(['to all', 7, 'team'], [$shown['data'], $shown['from'], $shown['conversation']]);
        self::assertSame([], ChatPush\sendToUsers(1, [], 'x'));
    }

    public function testWhoConnectsGetsWhatWaits(): void
    {
        $user = $this->installation->newUser();
        storeOfflineMessage(1, $user, 'first');
        ChatPush\sendMessage(2, $user, 'second', 5, conversation: 'team:1');
        $rows = getOfflineMessage($user);
        $this->installation->connect($user);
        [$first, $second] = $this->installation->messages($user);
        unset($first['time'], $second['time']);
        $ids = array_column($rows, 'message_id');
        $frame = ['id' => $ids[0], 'type' => 'text', 'data' => 'first', 'from' => 1, 'offline' => true];
        self::assertSame($frame, $first);
        $frame = ['id' => $ids[1], 'type' => 5, 'data' => 'second', 'from' => 2];
        self::assertSame($frame + ['conversation' => 'team:1', 'offline' => true], $second);
        eventually('the rows are deleted', fn () => getOfflineMessage($user) === []);
        self::assertSame(2, getUnreadCount($user), 'delivered is not read');
    }

    public function testSendToAConnectedUserIsLive(): void
    {
        $user = $this->installation->newUser();
        $this->installation->connect($user);
        self::assertSame([], $this->installation->messages($user), 'what waits is read before it is sent');
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, $user, 'hello'));
        [$message] = $this->installation->messages($user);
        self::assertSame(['hello', 'text', 1], [$message['data'], $message['type'], $message['from']]);
        self::assertArrayNotHasKey('offline', $message);
        eventually('the row is deleted', fn () => getOfflineMessage($user) === []);
        self::assertSame(1, getUnreadCount($user));
    }

    public function testRepeatedMessageIdIsTheSameMessage(): void
    {
        [$user, $other] = [$this->installation->newUser(), $this->installation->newUser()];
        $send = fn (int $sender, int $receiver, string $text) =>
            ChatPush\sendMessage($sender, $receiver, $text, message_id: 'order 7');
        self::assertSame(Delivery::Stored, $send(1, $user, 'first'));
        $this->installation->connect($user);
        self::assertSame(Delivery::Stored, $send(1, $user, 'again'), 'the result of the first call');
        self::assertSame(['first'], array_column($this->installation->messages($user), 'data'));
        self::assertSame(1, getUnreadCount($user));
        $send(1, $other, 'another receiver');
        $send(2, $other, 'another sender');
        $rows = getOfflineMessage($other);
        self::assertSame(['another receiver', 'another sender'], array_column($rows, 'content'));
        self::assertSame(['1:order 7', '2:order 7'], array_column($rows, 'message_id'));
    }

    public function testCounterIsClearedAndFollowsTheApplicationsOwnSql(): void
    {
        $user = $this->installation->newUser();
        storeOfflineMessage(1, $user, 'x');
        $this->installation->setUnread($user, 7);
        self::assertSame(7, getUnreadCount($user));
        storeOfflineMessage(1, $user, 'y');
        self::assertSame(8, getUnreadCount($user));
        ChatPush\clearUnreadCount($user);
        self::assertSame(0, getUnreadCount($user));
        self::assertCount(2, getOfflineMessage($user), 'the messages wait all the same');
    }

    public function testAckRemovesRowsOfTheUserAlone(): void
    {
        [$user, $other] = [$this->installation->newUser(), $this->installation->newUser()];
        foreach ([$user, $user, $other] as $receiver) {
            storeOfflineMessage(1, $receiver, 'x');
        }
        [$first, $second] = array_column(getOfflineMessage($user), 'id');
        [$foreign] = array_column(getOfflineMessage($other), 'id');
        self::assertSame(1, ChatPush\ackOfflineMessage($user, [$first, $first, $foreign]));
        self::assertSame([$second], array_column(getOfflineMessage($user), 'id'));
        self::assertCount(1, getOfflineMessage($other));
        self::assertSame(0, ChatPush\ackOfflineMessage($user, []));
        self::assertSame(2, getUnreadCount($user));
    }

    public function testMessageIsTakenBackUntilAClientHasConfirmedIt(): void
    {
        $user = $this->installation->newUser();
        $send = fn (string $id) => ChatPush\sendMessage(1, $user, "text of $id", message_id: $id);
        array_map($send, ['read', 'unread', 'kept']);
        self::assertFalse(ChatPush\recallMessage(2, $user, 'unread'), 'of another sender');
        self::assertTrue(ChatPush\recallMessage(1, $user, 'unread'));
        self::assertFalse(ChatPush\recallMessage(1, $user, 'unread'));
        self::assertSame(2, getUnreadCount($user));
        ChatPush\clearUnreadCount($user);
        $send('later');
        self::assertTrue(ChatPush\recallMessage(1, $user, '1:read'), 'by the id of its frame');
        self::assertSame(1, getUnreadCount($user), 'it was cleared after the message');
        storeOfflineMessage(1, $user, 'without an id');
        $ids = array_column(getOfflineMessage($user), 'message_id');
        self::assertTrue(ChatPush\recallMessage(1, $user, $ids[2]));
        $send('unread');
        self::assertSame(['text of kept', 'text of later'], array_column(getOfflineMessage($user), 'content'));
        $this->installation->connect($user);
        $this->installation->messages($user);
        eventually('the rows are deleted', fn () => getOfflineMessage($user) === []);
        self::assertFalse(ChatPush\recallMessage(1, $user, 'kept'));
    }

    public function testForgottenUserStartsFromNothing(): void
    {
        [$user, $other] = [$this->installation->newUser(), $this->installation->newUser()];
        foreach ([$user, $user, $other] as $receiver) {
            storeOfflineMessage(1, $receiver, 'old');
        }
        $this->installation->setUnread($user, 7);
        ChatPush\forgetUser($user);
        self::assertSame([[], 0], [getOfflineMessage($user), getUnreadCount($user)]);
        self::assertSame([1, 1], [count(getOfflineMessage($other)), getUnreadCount($other)]);
        storeOfflineMessage(1, $user, 'new');
        self::assertSame(['new'], array_column(getOfflineMessage($user), 'content'));
        self::assertSame(1, getUnreadCount($user));
    }

    /** The sign-in code pushes what it has fetched, before or after the page has connected. */
    public function testFetchedRowsAreShownOnce(): void
    {
        $user = $this->installation->newUser();
        foreach (['same', 'same', 'other'] as $text) {
            storeOfflineMessage(1, $user, $text);
        }
        $rows = getOfflineMessage($user);
        self::assertFalse(pushMessage($user, $rows[0]['content'], 'chat'));
        $this->installation->connect($user);
        foreach ($rows as $row) {
            self::assertTrue(pushMessage($user, $row['content'], 'chat'));
        }
        self::assertTrue(pushMessage($user, 'changed', 'chat', $rows[2]['message_id']));
        $messages = $this->installation->messages($user);
        self::assertSame(['same', 'same', 'other'], array_column($messages, 'data'));
        self::assertSame(array_column($rows, 'message_id'), array_column($messages, 'id'));
    }
}
