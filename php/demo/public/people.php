<?php

/** The other users and the user's groups, with the last message of each, and how many messages are unread. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
$people = other_people($user_id);
$online = presence(array_column($people, 'id'));
answer([
    'people' => array_map(fn (array $person) => $person + ['online' => $online[$person['id']]], $people),
    'groups' => groups_of($user_id),
    'unread' => unread_counts($user_id),
]);
