<?php
// Who of the others is there now.
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
    refuse(503, 'Nobody knows who is there.');
}
answer(['people' => $people]);
