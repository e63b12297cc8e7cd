<?php

declare(strict_types=1);

use ChatPush\Delivery;
use ChatPush\Outcome;

/** Calls while nothing can be reached, and while what is queued waits. */
final class OutageTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::Notify];

    public function testNothingIsQueuedWhereNothingCanBeReached(): void
    {
        $user = $this->installation->newUser();
        $this->installation->connect($user);
        $this->installation->breakDown();
        self::assertFalse(ChatPush\ping());
        $calls = array_map(fn (array $call) => $call[1], self::storageCalls($user)) + self::liveCalls($user) + [
            'disconnect' => fn () => ChatPush\disconnectUser($user),
            'forget' => fn () => ChatPush\forgetUser($user),
        ];
        foreach ($calls as $name => $call) {
            self::assertFails(ChatPush\ConnectionException::class, Outcome::NotQueued, true, $call, $name);
        }
        $this->installation->recover();
        eventually('it is there again', ChatPush\ping(...));
        self::assertSame([[], 0], [$this->installation->messages($user), getUnreadCount($user)]);
        self::assertTrue(pushMessage($user, 'x', 'y'));
    }

    public function testFailuresAsWarningsGiveTheEmptyValue(): void
    {
        $user = $this->installation->newUser();
        $this->installation->makeErrorsWarnings();
        $this->installation->breakDown();
        $calls = array_map(fn (array $call) => $call[1], self::storageCalls($user)) + self::liveCalls($user);
        $empty = ['send' => null, 'send with an id' => null, 'clear' => null];
        $empty += array_fill_keys(['send to many', 'rows', 'unread counts', 'due'], []);
        $empty += array_fill_keys(['push to many', 'online users', 'room users'], []);
        $empty += array_fill_keys(['ack', 'unread', 'mark'], 0);
        foreach ($calls as $name => $call) {
            self::assertWarns(array_key_exists($name, $empty) ? $empty[$name] : false, $call, $name);
        }
        self::assertFalse(ChatPush\ping());
    }

    public function testWhatIsQueuedHappens(): void
    {
        $user = $this->installation->newUser();
        ChatPush\sendMessage(1, $user, 'before', message_id: 'id');
        $this->installation->hang();
        foreach (self::storageCalls($user) as $name => [$kind, $call]) {
            if ($kind === 'change' && $name !== 'clear') {
                self::assertFails(ChatPush\TimeoutException::class, Outcome::Queued, false, $call, $name);
            } elseif ($kind === 'read') {
                self::assertFails(ChatPush\TimeoutException::class, Outcome::NotQueued, true, $call, $name);
            }
        }
        $this->installation->makeErrorsWarnings();
        self::assertWarns(true, fn () => storeOfflineMessage(1, $user, 'y'));
        self::assertWarns(Delivery::Stored, fn () => ChatPush\sendMessage(1, $user, 'z'));
        $many = fn () => ChatPush\sendToUsers(1, [$user], 'many');
        self::assertWarns([$user => Delivery::Stored], $many);
        $this->installation->recover();
        eventually('all is stored', fn () => @getUnreadCount($user) === 7);
        // The one with the id of an earlier message is that message.
        $contents = ['before', 'x', 'x', 'x', 'y', 'z', 'many'];
        self::assertSame($contents, array_column(getOfflineMessage($user), 'content'));
    }
}
