<?php

/** Which of the user's messages wait for whom: the receivers who have not got it, by message id. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
answer(['waiting' => (object) waiting($user_id, require_conversation($user_id, $_GET))]);
