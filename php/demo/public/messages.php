<?php

/** A conversation from the history: what came after a row, what was before a row, or the last messages. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
$person_id = number($_GET, 'person');
if ($person_id === null) {
    refuse(422, 'This user does not exist.');
}
answer(conversation($user_id, $person_id, number($_GET, 'after'), number($_GET, 'before')));
