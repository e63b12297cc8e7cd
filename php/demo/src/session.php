<?php

declare(strict_types=1);

/** Starts or resumes the session. Scripts and other sites cannot use its cookie. */
function start_session(): void
{
    session_name('chat');
    session_start([
        'cookie_httponly' => true,
        'cookie_samesite' => 'Lax',
        'cookie_secure' => ($_SERVER['HTTPS'] ?? '') !== '',
        'use_strict_mode' => true,
    ]);
    $_SESSION['csrf'] ??= bin2hex(random_bytes(16));
}

/** Starts the session of this user, with a new session id: an old one must not become valid. */
function sign_in(int $user_id, string $username): void
{
    session_regenerate_id(true);
    $_SESSION = ['user_id' => $user_id, 'username' => $username, 'csrf' => bin2hex(random_bytes(16))];
}

/** The signed-in user, or null. */
function user_id(): ?int
{
    return $_SESSION['user_id'] ?? null;
}

/** Ends the request unless a user is signed in. Releases the session lock: requests need not wait. */
function require_user(): int
{
    $user_id = user_id();
    if ($user_id === null) {
        refuse(401, 'Please sign in.');
    }
    session_write_close();
    return $user_id;
}

/** Ends the request unless it is a POST from one of our own pages. */
function require_own_post(): void
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        header('Allow: POST');
        refuse(405, 'This page accepts POST only.');
    }
    $sent = $_POST['csrf'] ?? $_SERVER['HTTP_X_CSRF_TOKEN'] ?? '';
    if (!is_string($sent) || !hash_equals($_SESSION['csrf'], $sent)) {
        refuse(403, 'The page is too old. Please reload it.');
    }
}
