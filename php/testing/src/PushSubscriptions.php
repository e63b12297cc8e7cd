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
        Call::run($function, Effect::Write, fn () => self::installed()->add($user, $endpoint), fn () => null, true);
    }

    public static function remove(string $function, int|string $user, string $endpoint): bool
    {
        $check = new Arguments($function);
        $check->anyUser(1, 'user_id', $user);
        $check->pushEndpoint(2, $endpoint);
        $user = $check->user(1, 'user_id', $user);
        $do = fn () => self::installed()->end($user, $endpoint);
        return Call::run($function, Effect::Write, $do, fn () => false, true);
    }

    /** Those of the installation, if it has [web_push]. */
    private static function installed(): self
    {
        return Memory::get()->pushSubscriptions ?? throw Failure::noWebPush();
    }

    /** @return list<string> the endpoints of a user, oldest first */
    public function of(int|string $user): array
    {
        return array_keys(array_filter($this->users, fn ($owner) => Memory::areSame($owner, $user)));
    }

    public function forget(int|string $user): void
    {
        $this->users = array_diff_key($this->users, array_flip($this->of($user)));
    }

    private function add(int|string $user, string $endpoint): void
    {
        if (!Memory::areSame($this->users[$endpoint] ?? $user, $user)) {
            // Of another user: it is a new one of this user.
            unset($this->users[$endpoint]);
        }
        $this->users[$endpoint] = $user;
        foreach (array_slice($this->of($user), 0, -self::MOST_OF_A_USER) as $oldest) {
            unset($this->users[$oldest]);
        }
    }

    private function end(int|string $user, string $endpoint): bool
    {
        $isTheirs = in_array($endpoint, $this->of($user), true);
        if ($isTheirs) {
            unset($this->users[$endpoint]);
        }
        return $isTheirs;
    }
}
