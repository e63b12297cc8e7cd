<?php

/**
 * Gives the page's JavaScript a token to connect with, for the user who is signed in.
 */

declare(strict_types=1);

require __DIR__ . '/../src/functions.php';

header('Content-Type: text/plain');
header('Cache-Control: no-store');
startSession();
$user_id = requireUserOfScript();
try {
    echo ChatPush\connectToken($user_id, ttl_seconds: 3600);
} catch (ChatPush\Exception | ValueError $problem) {
    // chatpush.secret is missing or too short, or this can be no user id.
    error_log($problem->getMessage());
    http_response_code(503);
}
