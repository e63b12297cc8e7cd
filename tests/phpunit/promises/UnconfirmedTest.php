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

    /** An id that shows its sender is told in any case; another one only if the message was that sender's. */
    public function testPagesAreToldOfNoIdThatIsNotTheSenders(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'of 1', message_id: 'a');
        storeOfflineMessage(1, $user, 'without an id');
        $generated = getOfflineMessage($user)[1]['message_id'];
        $this->installation->connect($user, confirms: false);
        $told = [];
        foreach ([[2, 'a'], [2, '1:a'], [2, $generated], [1, 'unknown'], [1, str_repeat('x', 65)]] as [$sender, $id]) {
            self::assertFalse(ChatPush\recallMessage($sender, $user, $id), $id);
            $told = strlen($id) > 64 ? $told : [...$told, "$sender:$id"];
        }
        self::assertTrue(ChatPush\recallMessage(1, $user, $generated));
        self::assertTrue(ChatPush\recallMessage(1, $user, '1:a'));
        $this->installation->messages($user);
        self::assertSame([...$told, "1:$generated", $generated, '1:a'], $this->installation->recalled($user));
    }
}
