<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** An installation with mailbox.max_messages. */
final class MailboxLimitTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::MailboxOfOne];

    private int $user;

    protected function setUp(): void
    {
        parent::setUp();
        $this->user = $this->installation->newUser();
        storeOfflineMessage(1, $this->user, 'first');
    }

    public function testTheNewestIsRefused(): void
    {
        $send = fn () => ChatPush\sendMessage(1, $this->user, 'second', message_id: 'second');
        $full = ChatPush\UnavailableException::class;
        $thrown = self::assertFails($full, Outcome::NotQueued, true, $send);
        self::assertSame("mailbox of user $this->user is full", $thrown->getMessage());
        self::assertSame([1, 1], [count(getOfflineMessage($this->user)), getUnreadCount($this->user)]);
        ChatPush\ackOfflineMessage($this->user, array_column(getOfflineMessage($this->user), 'id'));
        self::assertSame(Delivery::Stored, $send());
        self::assertSame(Delivery::Stored, $send(), 'it is there already');
        $store = fn () => storeOfflineMessage(1, $this->user, 'third');
        self::assertFails($full, Outcome::NotQueued, true, $store);
    }

    public function testWhoeverIsConnectedGetsEveryMessage(): void
    {
        $this->installation->connect($this->user, confirms: false);
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, $this->user, 'second'));
        self::assertCount(2, getOfflineMessage($this->user));
    }

    public function testTheOthersOfManyGetTheirs(): void
    {
        [$other, $third] = [$this->installation->newUser(), $this->installation->newUser()];
        $send = fn () => ChatPush\sendToUsers(1, [$this->user, $other], 'to both', message_id: 'both');
        $thrown = self::assertFails(ChatPush\PartialException::class, Outcome::NotQueued, true, $send);
        self::assertSame([$other => Delivery::Stored], $thrown->getDeliveries());
        self::assertSame([$this->user => Outcome::NotQueued], $thrown->getOutcomes());
        $text = "1 of 2 receivers failed, see getOutcomes(): mailbox of user $this->user is full";
        self::assertSame($text, $thrown->getMessage());
        $without_id = fn () => ChatPush\sendToUsers(1, [$this->user, $third], 'to both');
        // Whoever has it would get it twice.
        self::assertFails(ChatPush\PartialException::class, Outcome::NotQueued, false, $without_id);
        $alone = fn () => ChatPush\sendToUsers(1, [$this->user], 'x');
        self::assertFails(ChatPush\UnavailableException::class, Outcome::NotQueued, true, $alone);
        $this->installation->makeErrorsWarnings();
        self::assertWarns([$other => Delivery::Stored], $send);
        self::assertWarns(false, fn () => storeOfflineMessage(1, $this->user, 'second'));
        self::assertWarns(null, fn () => ChatPush\sendMessage(1, $this->user, 'second'));
    }
}
