<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;
use ChatPush\Testing\Server;

/** An installation with mailbox.max_messages. */
final class MailboxLimitTest extends PromisesTestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        Server::limitMailboxes(1);
        storeOfflineMessage(1, 2, 'first');
    }

    public function testTheNewestIsRefused(): void
    {
        $send = fn () => ChatPush\sendMessage(1, 2, 'second', message_id: 'second');
        $thrown = self::expectThrown(ChatPush\UnavailableException::class, $send);
        self::assertSame([Outcome::NotQueued, true], [$thrown->getOutcome(), $thrown->isRetryable()]);
        self::assertStringStartsWith('mailbox of user 2 is full', $thrown->getMessage());
        self::assertSame([1, 1], [count(getOfflineMessage(2)), getUnreadCount(2)]);
        ChatPush\ackOfflineMessage(2, array_column(getOfflineMessage(2), 'id'));
        self::assertSame(Delivery::Stored, $send());
    }

    public function testWhoeverIsConnectedGetsEveryMessage(): void
    {
        Server::connect(2, false);
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, 2, 'second'));
    }

    public function testTheOthersOfManyGetTheirs(): void
    {
        $send = fn () => ChatPush\sendToUsers(1, [2, 3], 'to both', message_id: 'both');
        $thrown = self::expectThrown(ChatPush\PartialException::class, $send);
        self::assertSame([3 => Delivery::Stored], $thrown->getDeliveries());
        self::assertSame([2 => Outcome::NotQueued], $thrown->getOutcomes());
        self::assertTrue($thrown->isRetryable());
        $without_id = fn () => ChatPush\sendToUsers(1, [2, 4], 'to both');
        $thrown = self::expectThrown(ChatPush\PartialException::class, $without_id);
        self::assertFalse($thrown->isRetryable(), '4 would get it twice');
        self::expectThrown(ChatPush\UnavailableException::class, fn () => ChatPush\sendToUsers(1, [2], 'x'));
        Server::makeErrorsWarnings();
        self::assertSame([3 => Delivery::Stored], @$send());
        self::assertFalse(@storeOfflineMessage(1, 2, 'second'));
    }
}
