<?php

declare(strict_types=1);

namespace ChatPush\Testing;

use ChatPush\Exception;
use ChatPush\Outcome;
use ChatPush\PartialException;

/**
 * Runs calls: normally, or as Server::fail() said.
 *
 * @internal
 */
final class Call
{
    /**
     * Runs a call and returns its result.
     *
     * With errors as warnings a failure returns what `$failed` gives for its outcome.
     *
     * @template T
     * @param \Closure(): T $do
     * @param \Closure(Outcome): T $failed
     * @return T
     */
    public static function run(
        string $function,
        Effect $effect,
        \Closure $do,
        \Closure $failed,
        bool $repeatable = false,
    ): mixed {
        $memory = Memory::get();
        if ($memory->pushOnly && $effect->needsStorage()) {
            return self::fail(Failure::pushOnly(), $failed);
        }
        $failure = $memory->nextFailure();
        try {
            if ($failure === null) {
                return $do();
            }
            if ($failure->takesEffect($effect)) {
                $do();
            }
        } catch (Exception $refused) {
            return self::fail($refused, $failed);
        }
        return self::fail($failure->exception($function, $effect, $repeatable), $failed);
    }

    /** Throws, or raises a warning and returns what stands for the failure. */
    public static function fail(Exception $exception, \Closure $failed): mixed
    {
        if (!Memory::get()->errorsAreWarnings) {
            throw $exception;
        }
        trigger_error("chatpush: {$exception->getMessage()}", E_USER_WARNING);
        if ($exception instanceof PartialException) {
            return $exception->getDeliveries();
        }
        return $failed($exception->getOutcome());
    }
}
