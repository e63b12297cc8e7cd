<?php

declare(strict_types=1);

/**
 * Creates the user and signs in.
 *
 * @return array{string, string}|null the field to correct and what is wrong, or null
 */
function register(string $username, string $password): ?array
{
    if (preg_match('/^[\p{L}\p{N} ._-]{2,30}$/uD', $username) !== 1) {
        return ['username', 'A name has 2 to 30 letters, digits, spaces, dots or dashes.'];
    }
    if (strlen($password) < 8 || strlen($password) > 72) {
        return ['password', 'A password has 8 to 72 characters.'];
    }
    $hash = password_hash($password, PASSWORD_DEFAULT);
    try {
        query('INSERT INTO `user` (`username`, `password`) VALUES (?, ?)', [$username, $hash]);
    } catch (PDOException $exception) {
        if ($exception->errorInfo[1] === 1062) {
            return ['username', 'That name is taken.'];
        }
        throw $exception;
    }
    sign_in((int) database()->lastInsertId(), $username);
    // Pages that are open show the user at once, the others when they are loaded.
    try {
        ChatPush\pushToRoom('people', '', 'people');
    } catch (ChatPush\Exception $problem) {
        error_log($problem->getMessage());
    }
    return null;
}

/**
 * Signs in.
 *
 * @return array{string, string}|null the field to correct and what is wrong, or null
 */
function sign_in_with(string $username, string $password): ?array
{
    $found = query('SELECT `id`, `username`, `password` FROM `user` WHERE `username` = ?', [$username]);
    $user = $found[0] ?? null;
    // An unknown name takes as long as a wrong password.
    $right = $user === null
        ? !password_hash($password, PASSWORD_DEFAULT)
        : password_verify($password, $user['password']);
    if (!$right) {
        return ['password', 'The name or the password is wrong.'];
    }
    sign_in($user['id'], $user['username']);
    return null;
}
