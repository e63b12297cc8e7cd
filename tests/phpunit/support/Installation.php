<?php

declare(strict_types=1);

/** What the tests of promises need of an installation: a real one, or php/testing. */
interface Installation
{
    public function newUser(): int;

    /**
     * Connects a page.
     *
     * @param bool $confirms whether it confirms what it gets, when messages() reads that
     */
    public function connect(int|string $user, bool $confirms = true): void;

    /** Puts the user's page into these rooms alone. */
    public function enter(int|string $user, string|int ...$rooms): void;

    /** Ends the user's connections. */
    public function disconnect(int|string $user): void;

    /**
     * The messages that the user's page has got since the last call.
     *
     * @return list<array<string, mixed>>
     */
    public function messages(int|string $user): array;

    /**
     * The ids that the user's page was told to remove, as far as messages() has read.
     *
     * @return list<string>
     */
    public function recalled(int|string $user): array;

    /** Sets the unread counter, as the application's own SQL does. */
    public function setUnread(int $user, int $count): void;

    /**
     * The endpoints of the user's subscriptions to Web Push, oldest first.
     *
     * @return list<string>
     */
    public function pushEndpoints(int $user): array;

    /** Makes failures warnings. */
    public function makeErrorsWarnings(): void;

    /** Nothing can be reached, until recover(). */
    public function breakDown(): void;

    /** What changes something is queued, and the call fails, until recover(). */
    public function hang(): void;

    public function recover(): void;
}
