<?php

declare(strict_types=1);

use ChatPush\Outcome;
use ChatPush\Testing\Server;

/** php/testing. */
final class InstallationInMemory implements Installation
{
    private int $users = 100;

    /** @var array<int|string, int> how many messages the caller knows, by user */
    private array $known = [];

    public function __construct(Setting ...$settings)
    {
        Server::reset();
        foreach ($settings as $setting) {
            $setting->setInMemory();
        }
    }

    public function newUser(): int
    {
        return ++$this->users;
    }

    public function connect(int|string $user, bool $confirms = true): void
    {
        Server::connect($user, $confirms);
    }

    public function enter(int|string $user, string|int ...$rooms): void
    {
        Server::enter($user, ...$rooms);
    }

    public function disconnect(int|string $user): void
    {
        Server::disconnect($user);
    }

    public function messages(int|string $user): array
    {
        $all = Server::pushed($user);
        $new = array_slice($all, $this->known[$user] ?? 0);
        $this->known[$user] = count($all);
        return $new;
    }

    public function recalled(int|string $user): array
    {
        return Server::recalled($user);
    }

    public function setUnread(int $user, int $count): void
    {
        Server::setUnread($user, $count);
    }

    public function pushEndpoints(int $user): array
    {
        return Server::pushEndpoints($user);
    }

    public function makeErrorsWarnings(): void
    {
        Server::makeErrorsWarnings();
    }

    public function breakDown(): void
    {
        Server::fail(calls: null);
    }

    public function hang(): void
    {
        Server::fail(Outcome::Queued, calls: null);
    }

    public function recover(): void
    {
        Server::recover();
    }
}
