<?php
declare(strict_types=1);

/** Starts or resumes the session, with a cookie that no script and no other site can use. */
function start_session(): void
{
    session_name('chat');
    session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'use_strict_mode' => true,
        'cookie_secure' => ($_SERVER['HTTPS'] ?? '') !== '']);
    $_SESSION['csrf'] ??= bin2hex(random_bytes(16));
}

/** Begins a session of this user, under a new name so that an old one is worth nothing. */
function sign_in(int $user_id, string $username): void
{
    session_regenerate_id(true);
    $_SESSION = ['user_id' => $user_id, 'username' => $username, 'csrf' => bin2hex(random_bytes(16))];
}

/** Who is signed in, or null. */
function user_id(): ?int
{
    return $_SESSION['user_id'] ?? null;
}

/** Ends the page unless somebody is signed in. Lets go of the session, so that pages do not wait for each other. */
function require_user(): int
{
    $user_id = user_id();
    if ($user_id === null) {
        refuse(401, 'Please sign in.');
    }
    session_write_close();
    return $user_id;
}

/** Ends the page unless it was asked for by one of our own pages. */
function require_own_post(): void
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        header('Allow: POST');
        refuse(405, 'This page wants a POST.');
    }
    $sent = $_POST['csrf'] ?? $_SERVER['HTTP_X_CSRF_TOKEN'] ?? '';
    if (!is_string($sent) || !hash_equals($_SESSION['csrf'], $sent)) {
        refuse(403, 'The page is too old. Please reload it.');
    }
}
