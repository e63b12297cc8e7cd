<?php

declare(strict_types=1);

use ChatPush\Delivery;

/** A page that never confirms. */
final class UnconfirmedTest extends PromisesTestCase
{
    public function testRowsStayUntilAPageConfirms(): void
    {
        $user = $this->installation->newUser();
        storeOfflineMessage(1, $user, 'x');
        $this->installation->connect($user, confirms: false);
        self::assertSame(Delivery::Live, ChatPush\sendMessage(1, $user, 'y'));
        self::assertSame(['x', 'y'], array_column($this->installation->messages($user), 'data'));
        self::assertSame(['x', 'y'], array_column(getOfflineMessage($user), 'content'));
        $this->installation->disconnect($user);
        self::assertSame(['x', 'y'], array_column(getOfflineMessage($user), 'content'));
        $this->installation->connect($user);
        $this->installation->messages($user);
        eventually('the rows are deleted', fn () => getOfflineMessage($user) === []);
    }

    public function testPagesAreToldOfARecall(): void
    {
        [$user, $away] = [$this->installation->newUser(), $this->installation->newUser()];
        $this->installation->connect($user, confirms: false);
        foreach ([$user, $away] as $receiver) {
            ChatPush\sendMessage(1, $receiver, 'x', message_id: 'a');
            self::assertTrue(ChatPush\recallMessage(1, $receiver, 'a'));
        }
        $this->installation->messages($user);
        self::assertContains('1:a', $this->installation->recalled($user));
        self::assertSame([[], 0], [getOfflineMessage($user), getUnreadCount($user)]);
        $this->installation->connect($away);
        self::assertSame([], $this->installation->messages($away));
    }
}
