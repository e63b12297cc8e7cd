<?php

/** A token for the WebSocket. When it expires the connection ends, and the page fetches another token. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
try {
    answer(['token' => ChatPush\connectToken($user_id, ttl_seconds: 3600)]);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'Live messages are switched off.');
}
