<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * What a call does, which decides what a failure leaves open.
 *
 * @internal
 */
enum Effect
{
    /** It reads who is connected. */
    case Presence;
    /** It reaches those who are connected, and nothing is queued. */
    case Live;
    /** It reads what is stored. */
    case Query;
    /** It writes something else than messages, by way of no queue, and may be repeated. */
    case Write;
    /** It changes what is stored, by way of the log. */
    case Change;

    /** Whether it only reads: then nothing is queued, and it may be repeated. */
    public function onlyReads(): bool
    {
        return $this === self::Presence || $this === self::Query;
    }

    /** Whether it may wait in a queue. */
    public function isQueued(): bool
    {
        return $this === self::Change;
    }

    /** Whether it needs a database. */
    public function needsStorage(): bool
    {
        return $this === self::Query || $this === self::Write || $this === self::Change;
    }
}
