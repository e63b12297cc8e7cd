<?php

/** Records up to which message the user has read a conversation, for all of their devices. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
$person_id = number($_POST, 'person');
$row = number($_POST, 'row');
if ($person_id === null || $row === null) {
    refuse(422, 'This message does not exist.');
}
mark_seen($user_id, $person_id, $row);
answer(['seen' => $row]);
