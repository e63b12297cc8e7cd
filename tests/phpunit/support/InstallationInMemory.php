<?php

declare(strict_types=1);

use ChatPush\Testing\Server;

/** php/testing. */
final class InstallationInMemory implements Installation
{
    private int $users = 100;

    /** @var array<int, int> how many messages the caller knows, by user */
    private array $known = [];

    public function __construct()
    {
        Server::reset();
    }

    public function newUser(): int
    {
        return ++$this->users;
    }

    public function connect(int $user): void
    {
        Server::connect($user);
    }

    public function disconnect(int $user): void
    {
        Server::disconnect($user);
    }

    public function messages(int $user): array
    {
        $all = Server::pushed($user);
        $new = array_slice($all, $this->known[$user] ?? 0);
        $this->known[$user] = count($all);
        return $new;
    }

    public function setUnread(int $user, int $count): void
    {
        Server::setUnread($user, $count);
    }
}
