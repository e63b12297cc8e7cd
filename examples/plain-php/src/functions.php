<?php

/**
 * What the pages share. An application has its own versions of these functions.
 */

declare(strict_types=1);

/** The application's connection to MySQL. chatpush needs none in PHP; the pages look up users with it. */
function database(): PDO
{
    static $pdo = null;
    return $pdo ??= new PDO(
        sprintf(
            'mysql:unix_socket=%s;dbname=%s;charset=utf8mb4',
            getenv('CHAT_MYSQL_SOCKET'),
            getenv('CHAT_MYSQL_DATABASE'),
        ),
        getenv('CHAT_MYSQL_USER'),
        getenv('CHAT_MYSQL_PASSWORD'),
        [PDO::ATTR_EMULATE_PREPARES => false, PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC],
    );
}

/**
 * The row of a user, or null if there is none of that name.
 *
 * @return array{id: int, password: string}|null
 */
function findUser(string $username): ?array
{
    $statement = database()->prepare('SELECT `id`, `password` FROM `user` WHERE `username` = ?');
    $statement->execute([$username]);
    return $statement->fetch() ?: null;
}

/** The name of a user. */
function username(int $user_id): string
{
    $statement = database()->prepare('SELECT `username` FROM `user` WHERE `id` = ?');
    $statement->execute([$user_id]);
    return $statement->fetchColumn() ?: "user $user_id";
}

/** Starts or resumes the session. */
function startSession(): void
{
    session_name('example');
    session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'use_strict_mode' => true]);
    $_SESSION['csrf'] ??= bin2hex(random_bytes(16));
}

/** The id of the user who is signed in, or null. */
function signedIn(): ?int
{
    return $_SESSION['user_id'] ?? null;
}

/**
 * The id of the user who is signed in. Everybody else is sent to the sign-in page. $sign_in is its address, seen
 * from the page: another folder must name it.
 *
 * Releases the session: PHP locks it, and the other requests of this user would wait until this one is done.
 */
function requireUser(string $sign_in = 'sign-in.php'): int
{
    $user_id = signedIn();
    if ($user_id === null) {
        header("Location: $sign_in", response_code: 303);
        exit;
    }
    session_write_close();
    return $user_id;
}

/** As requireUser(), for what a script calls: everybody else gets 401. A script would take another page for its data. */
function requireUserOfScript(): int
{
    $user_id = signedIn();
    session_write_close();
    if ($user_id === null) {
        http_response_code(401);
        exit('Sign in first.');
    }
    return $user_id;
}

/** Refuses a POST that does not come from a form of ours. */
function requireOwnForm(): void
{
    if (!hash_equals($_SESSION['csrf'], postedText('csrf'))) {
        http_response_code(403);
        exit('This form has expired. Go back, reload the page and try again.');
    }
}

/** A text field of the posted form; empty if it is missing. */
function postedText(string $name): string
{
    $value = $_POST[$name] ?? '';
    return is_string($value) ? $value : '';
}

/** Text for HTML, in an element or an attribute. */
function html(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}
