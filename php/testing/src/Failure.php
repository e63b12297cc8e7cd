<?php

declare(strict_types=1);

namespace ChatPush\Testing;

use ChatPush\ConnectionException;
use ChatPush\Delivery;
use ChatPush\Exception;
use ChatPush\Outcome;
use ChatPush\PartialException;
use ChatPush\TimeoutException;
use ChatPush\UnavailableException;

/**
 * The way in which calls fail.
 *
 * @internal
 */
final class Failure
{
    private const KNOWN = [
        'not_queued' => 'nothing was queued',
        'queued' => 'it is queued and will be done once',
        'unknown' => 'the outcome is unknown',
    ];

    /** @param class-string<Exception>|null $class the exception; null: the one that goes with the outcome */
    public function __construct(
        private readonly Outcome $outcome,
        private readonly ?string $class = null,
        public readonly bool $done = false,
    ) {
    }

    /** What is known of a call after this failure. */
    public function outcome(Effect $effect): Outcome
    {
        return match (true) {
            $effect->onlyReads() => Outcome::NotQueued,
            // Without a queue nothing can be waiting in it.
            !$effect->isQueued() && $this->outcome === Outcome::Queued => Outcome::Unknown,
            default => $this->outcome,
        };
    }

    /** Whether the call has its effect all the same. */
    public function takesEffect(Effect $effect): bool
    {
        return match ($this->outcome($effect)) {
            Outcome::NotQueued => false,
            Outcome::Queued => true,
            Outcome::Unknown => $this->done || $this->outcome === Outcome::Queued,
        };
    }

    /** @param bool $repeatable whether a second call has no effect of its own */
    public function exception(string $function, Effect $effect, bool $repeatable): Exception
    {
        $outcome = $this->outcome($effect);
        $class = $this->class
            ?? ($this->outcome === Outcome::NotQueued ? ConnectionException::class : TimeoutException::class);
        $retryable = $outcome === Outcome::NotQueued || ($outcome === Outcome::Unknown && $repeatable);
        $message = "$function() fails because ChatPush\\Testing\\Server::fail() said so";
        return self::made($class, "$message; " . self::KNOWN[$outcome->value], $outcome, $retryable);
    }

    /** The refusal of an installation that only pushes. */
    public static function pushOnly(): Exception
    {
        $message = 'chatpushd has storage = "none": it only pushes, and stores and reads no messages. '
            . 'Give it a database (CHATPUSH_MYSQL_URL) for this call';
        return self::made(UnavailableException::class, $message, Outcome::NotQueued, false);
    }

    /** The refusal of a message for which a mailbox has no room. */
    public static function mailboxFull(int|string $user): Exception
    {
        return self::made(UnavailableException::class, "mailbox of user $user is full", Outcome::NotQueued, true);
    }

    /**
     * What a call for many receivers throws if some of it failed.
     *
     * @param array<int|string, Delivery> $deliveries
     * @param array<int|string, Exception> $failed the exception of each receiver who does not get the message
     * @param bool $repeatable whether a second call is the same message
     */
    public static function partial(array $deliveries, array $failed, bool $repeatable): Exception
    {
        // One that may pass, wherever it stands in the list.
        $retryable = array_filter($failed, fn (Exception $exception) => $exception->isRetryable());
        $cause = reset($retryable) ?: reset($failed);
        if ($deliveries === []) {
            return $cause;
        }
        $receivers = count($failed) + count($deliveries);
        $message = count($failed) . " of $receivers receivers failed, see getOutcomes()";
        $partial = self::made(
            PartialException::class,
            "$message: {$cause->getMessage()}",
            Outcome::NotQueued,
            $repeatable && $retryable !== [],
        );
        $outcomes = array_map(fn (Exception $exception) => $exception->getOutcome(), $failed);
        $set = function () use ($deliveries, $outcomes): void {
            $this->deliveries = $deliveries;
            $this->outcomes = $outcomes;
        };
        \Closure::bind($set, $partial, PartialException::class)();
        return $partial;
    }

    /** The refusal of an installation in which nobody is told that messages wait. */
    public static function notNotified(): Exception
    {
        $message = 'nobody is told of messages that wait: set notify.after in chatpushd, run `chatpushd migrate`, '
            . 'and restart it';
        return self::made(Exception::class, $message, Outcome::NotQueued, false);
    }

    /** The refusal of an installation that does not count by conversation. */
    public static function noConversations(): Exception
    {
        $message = 'conversations are not counted: set unread_by_conversation = true in chatpushd, '
            . 'run `chatpushd migrate`, and restart it';
        return self::made(Exception::class, $message, Outcome::NotQueued, false);
    }

    /** The refusal of an installation without Web Push. */
    public static function noWebPush(): Exception
    {
        $message = 'Web Push is off: set [web_push] in chatpushd (`chatpushd vapid` prints it), '
            . 'run `chatpushd migrate`, and restart it';
        return self::made(Exception::class, $message, Outcome::NotQueued, false);
    }

    private static function made(string $class, string $message, Outcome $outcome, bool $retryable): Exception
    {
        $exception = new $class($message);
        // The properties are private, as in the extension: an application cannot claim an outcome.
        $set = function () use ($outcome, $retryable): void {
            $this->outcome = $outcome;
            $this->retryable = $retryable;
        };
        \Closure::bind($set, $exception, Exception::class)();
        return $exception;
    }
}
