<?php

/**
 * The classes and enums of the extension.
 */

declare(strict_types=1);

namespace ChatPush;

class Exception extends \RuntimeException
{
    private bool $retryable = false;

    private Outcome $outcome = Outcome::Unknown;

    public function isRetryable(): bool
    {
        return $this->retryable;
    }

    public function getOutcome(): Outcome
    {
        return $this->outcome;
    }
}

class ConnectionException extends Exception
{
}

class UnavailableException extends Exception
{
}

class TimeoutException extends Exception
{
}

class PartialException extends Exception
{
    private array $deliveries = [];

    private array $outcomes = [];

    public function getDeliveries(): array
    {
        return $this->deliveries;
    }

    public function getOutcomes(): array
    {
        return $this->outcomes;
    }
}

enum Delivery: string
{
    case Live = 'live';
    case Stored = 'stored';
}

enum Outcome: string
{
    case NotQueued = 'not_queued';
    case Queued = 'queued';
    case Unknown = 'unknown';
}
