<?php

declare(strict_types=1);

/** A test of users who become due. Those of other tests may be due at the same time. */
abstract class DueTestCase extends PromisesTestCase
{
    /** Waits until the user is due, and leases them. Returns what is told of them. */
    protected function due(int $user): array
    {
        $found = null;
        eventually("user $user is due", function () use ($user, &$found): bool {
            $due = array_column(ChatPush\getDueNotifications(1_000), null, 'user_id');
            $found = $due[$user] ?? null;
            return $found !== null;
        });
        return $found;
    }

    /** Waits until somebody is due who has got a message later, and asserts that none of these is. */
    protected function areNotDue(int ...$users): void
    {
        $later = $this->installation->newUser();
        storeOfflineMessage(1, $later, 'later');
        $found = [];
        eventually('somebody is due', function () use ($later, &$found): bool {
            array_push($found, ...array_column(ChatPush\getDueNotifications(1_000), 'user_id'));
            return in_array($later, $found, true);
        });
        self::assertSame([], array_intersect($users, $found));
    }
}
