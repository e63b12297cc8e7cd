<?php

/**
 * Gives a page the token to connect with: to guests too.
 */

declare(strict_types=1);

require __DIR__ . '/../functions.php';

header('Content-Type: text/plain');
header('Cache-Control: no-store');
start_visit();
$user_id = visitor_id();
session_write_close();
try {
    echo ChatPush\connectToken($user_id, 3600);
} catch (ChatPush\Exception $problem) {
    // chatpush.secret is missing or too short.
    error_log($problem->getMessage());
    http_response_code(503);
}
