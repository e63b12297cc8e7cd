<?php

/**
 * Gives the page's JavaScript a token to connect with, for the user who is signed in.
 */

declare(strict_types=1);

require __DIR__ . '/../src/functions.php';

header('Content-Type: text/plain');
header('Cache-Control: no-store');
startSession();
$user_id = signedIn();
session_write_close();
if ($user_id === null) {
    // No redirection: the script would take the sign-in page for a token.
    http_response_code(401);
    exit('Sign in first.');
}
try {
    echo ChatPush\connectToken($user_id, ttl_seconds: 3600);
} catch (ChatPush\Exception $problem) {
    // chatpush.secret is missing or too short.
    error_log($problem->getMessage());
    http_response_code(503);
}
