<?php
// nchan: POST to its publisher. 201: somebody is there, 202: nobody.
declare(strict_types=1);

require __DIR__ . '/../http.php';

function push(int $user, string $content): bool
{
    return post("/pub/$user", '', $content)[0] === 201;
}

function push_warm(int $user): void
{
    post('/', '', '');
}
