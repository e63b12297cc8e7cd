<?php

// nchan: POST to its publisher location. 201: a subscriber is connected; 202: none is.
declare(strict_types=1);

require __DIR__ . '/../http.php';

function push(int $user, string $content): bool
{
    return post("/pub/$user", '', $content)[0] === 201;
}

function push_warmup(int $user): void
{
    post('/', '', '');
}
