<?php

/** Which of the user's messages to a receiver were not delivered yet. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$sender_id = require_user();
answer(['waiting' => waiting_ids($sender_id, number($_GET, 'receiver_id') ?? 0)]);
