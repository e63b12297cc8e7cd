<?php

/** The other users: who of them is online, their last message, and how many messages are new. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$people = other_people(require_user());
$online = presence(array_column($people, 'id'));
answer([
    'people' => array_map(fn (array $person) => $person + ['online' => $online[$person['id']]], $people),
]);
