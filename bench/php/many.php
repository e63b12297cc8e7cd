<?php

// Calls for many receivers: BENCH_RECEIVERS of them.
declare(strict_types=1);

/** The receivers from one user on. */
function receivers(int $first): array
{
    static $lists = [];
    return $lists[$first] ??= range($first, $first + (int) getenv('BENCH_RECEIVERS') - 1);
}

/** Calls the peer's push for each receiver. */
function push_each(int $first, string $content): bool
{
    $all = true;
    foreach (receivers($first) as $user) {
        $all = push($user, $content) && $all;
    }
    return $all;
}
