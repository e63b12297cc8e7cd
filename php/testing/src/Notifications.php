<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * Users of whom somebody is to be told that messages wait. No time has to pass.
 *
 * @internal
 */
final class Notifications
{
    /** @var array<int|string, true> the users of whom somebody was told */
    private array $told = [];

    /** @var array<int|string, int> until when each user is leased, in seconds since 1970 */
    private array $leases = [];

    public function __construct(private readonly bool $unread)
    {
    }

    /** @return list<array<string, mixed>> */
    public static function due(string $function, int $limit, int $lease): array
    {
        $check = new Arguments($function);
        $check->between(1, 'limit', $limit, 1, 1_000);
        $check->between(2, 'lease_seconds', $lease, 1, 86_400);
        $do = fn () => self::installed()->lease($limit, time() + $lease);
        return Call::run($function, Effect::Query, $do, fn () => []);
    }

    public static function mark(string $function, array $users): int
    {
        $users = (new Arguments($function))->users(1, 'user_ids', $users);
        if ($users === []) {
            return 0;
        }
        return Call::run($function, Effect::Write, fn () => self::installed()->tell($users), fn () => 0, true);
    }

    /** Those of the installation, if it has notify.after. */
    private static function installed(): self
    {
        return Memory::get()->notifications ?? throw Failure::notNotified();
    }

    /** A user has connected. */
    public function connected(int|string $user): void
    {
        if (!$this->unread) {
            $this->forget($user);
        }
    }

    /** A user has read. */
    public function hasRead(int|string $user): void
    {
        if ($this->unread) {
            $this->forget($user);
        }
    }

    public function forget(int|string $user): void
    {
        unset($this->told[$user], $this->leases[$user]);
    }

    /** @return list<array<string, mixed>> */
    private function lease(int $limit, int $until): array
    {
        $offered = array_filter($this->waiting(), fn ($user) => ($this->leases[$user] ?? 0) <= time());
        $offered = array_slice(array_values($offered), 0, $limit);
        foreach ($offered as $user) {
            $this->leases[$user] = $until;
        }
        return array_map($this->columns(...), $offered);
    }

    /** @param list<int|string> $users */
    private function tell(array $users): int
    {
        $due = array_filter($users, fn ($user) => in_array($user, $this->waiting(), true));
        foreach ($due as $user) {
            $this->told[$user] = true;
            unset($this->leases[$user]);
        }
        return count($due);
    }

    /**
     * Users for whom something waits, and of whom nobody was told.
     *
     * @return array<int|string>
     */
    private function waiting(): array
    {
        $memory = Memory::get();
        $users = $this->unread
            ? array_map($memory->userOfKey(...), array_keys(array_filter($memory->unread, fn ($count) => $count > 0)))
            : array_unique(array_map(fn (Message $row) => $row->receiver, $memory->rows));
        $waits = fn ($user) => !isset($this->told[$user]) && ($this->unread || !$memory->isOnline($user));
        return array_filter($users, $waits);
    }

    /** @return array<string, mixed> */
    private function columns(int|string $user): array
    {
        $rows = array_values(Memory::get()->rowsOf($user));
        $last = $rows === [] ? null : $rows[count($rows) - 1]->told();
        return [
            'user_id' => $user,
            'waiting' => min(count($rows), 1_000),
            'unread' => Memory::get()->unread[$user] ?? 0,
            'first_time' => $rows === [] ? null : $rows[0]->told()['time'],
            'last' => $last,
        ];
    }
}
