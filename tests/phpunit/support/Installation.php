<?php

declare(strict_types=1);

/** What the tests of promises need of an installation: a real one, or php/testing. */
interface Installation
{
    public function newUser(): int;

    /** Connects a page, which confirms what it gets. */
    public function connect(int $user): void;

    /** Ends the user's connections. */
    public function disconnect(int $user): void;

    /**
     * The messages that the user's page has got since the last call.
     *
     * @return list<array<string, mixed>>
     */
    public function messages(int $user): array;

    /** Sets the unread counter, as the application's own SQL does. */
    public function setUnread(int $user, int $count): void;
}
