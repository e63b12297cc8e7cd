<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * Subscriptions to Web Push. Nothing is sent.
 *
 * @internal
 */
final class PushSubscriptions
{
    private const MOST_OF_A_USER = 20;

    /** @var array<string, int|string> whose each endpoint is, oldest first */
    private array $users = [];

    public static function save(string $function, int|string $user, string $json): void
    {
        $check = new Arguments($function);
        $check->anyUser(1, 'user_id', $user);
        $endpoint = $check->pushSubscription(2, $json);
        $user = $check->user(1, 'user_id', $user);
        $do = function () use ($user, $endpoint): void {
            $subscriptions = Memory::get()->pushSubscriptions ?? throw Failure::noWebPush();
            $subscriptions->add($user, $endpoint);
        };
        Call::run($function, Effect::Write, $do, fn () => null, true);
    }

    /** @return list<string> the endpoints of a user, oldest first */
    public function of(int|string $user): array
    {
        return array_keys(array_filter($this->users, fn ($owner) => $owner == $user));
    }

    public function forget(int|string $user): void
    {
        $this->users = array_diff_key($this->users, array_flip($this->of($user)));
    }

    private function add(int|string $user, string $endpoint): void
    {
        if (($this->users[$endpoint] ?? $user) != $user) {
            // Of another user: it is a new one of this user.
            unset($this->users[$endpoint]);
        }
        $this->users[$endpoint] = $user;
        foreach (array_slice($this->of($user), 0, -self::MOST_OF_A_USER) as $oldest) {
            unset($this->users[$oldest]);
        }
    }
}
