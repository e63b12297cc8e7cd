<?php
// The other users, and who of them is online.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$user_id = require_user();
try {
    $people = array_map(
        fn (array $person) => $person + ['online' => ChatPush\isOnline($person['id'])],
        other_people($user_id),
    );
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'Online status is unavailable.');
}
answer(['people' => $people]);
