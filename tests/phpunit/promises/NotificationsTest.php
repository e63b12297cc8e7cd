<?php

declare(strict_types=1);

/** Users of whom somebody is to be told: messages wait for them. */
final class NotificationsTest extends DueTestCase
{
    protected const SETTINGS = [Setting::Notify];

    public function testAbsentUserIsDueOnce(): void
    {
        [$away, $there] = [$this->installation->newUser(), $this->installation->newUser()];
        ChatPush\sendMessage(1, $away, 'first', message_id: 'a');
        ChatPush\sendMessage(3, $away, 'second', 5, 'b');
        $this->installation->connect($there, confirms: false);
        ChatPush\sendMessage(1, $there, 'there');
        $due = $this->due($away);
        self::assertSame(['user_id', 'waiting', 'unread', 'first_time', 'last'], array_keys($due));
        self::assertSame([2, 2], [$due['waiting'], $due['unread']]);
        self::assertLessThanOrEqual($due['last']['time'], $due['first_time']);
        self::assertEqualsWithDelta(microtime(true) * 1000, $due['first_time'], 600_000);
        unset($due['last']['time']);
        $last = ['message_id' => '3:b', 'sender_id' => 3, 'type' => 5, 'content' => 'second'];
        self::assertSame($last, $due['last']);
        $this->areNotDue($away, $there);
        self::assertSame(1, ChatPush\markNotified([$away, $there, 2_147_483_647]), 'it was leased');
        self::assertSame(0, ChatPush\markNotified([$away]));
        storeOfflineMessage(1, $away, 'third');
        $this->areNotDue($away);
        $this->installation->connect($away);
        $this->installation->messages($away);
        eventually('the rows are deleted', fn () => getOfflineMessage($away) === []);
        $this->installation->disconnect($away);
        storeOfflineMessage(1, $away, 'fourth');
        $due = $this->due($away);
        self::assertSame([1, 'fourth'], [$due['waiting'], $due['last']['content']]);
    }

    public function testNobodyIsToldOfWhatIsGone(): void
    {
        [$recalled, $acknowledged, $forgotten] = array_map(fn () => $this->installation->newUser(), range(1, 3));
        foreach ([$recalled, $acknowledged, $forgotten] as $user) {
            ChatPush\sendMessage(1, $user, 'x', message_id: 'id');
        }
        ChatPush\recallMessage(1, $recalled, 'id');
        ChatPush\ackOfflineMessage($acknowledged, array_column(getOfflineMessage($acknowledged), 'id'));
        ChatPush\forgetUser($forgotten);
        $this->areNotDue($recalled, $acknowledged, $forgotten);
    }

    public function testAtMostTheLimitIsLeased(): void
    {
        foreach (range(1, 2) as $_) {
            storeOfflineMessage(1, $this->installation->newUser(), 'x');
        }
        $counts = [];
        eventually('both are leased', function () use (&$counts): bool {
            $counts[] = count(ChatPush\getDueNotifications(1));
            return array_sum($counts) >= 2;
        });
        self::assertSame(1, max($counts));
    }
}
