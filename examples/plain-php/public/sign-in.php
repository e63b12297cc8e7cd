<?php

/**
 * Stands for the sign-in of your application.
 */

declare(strict_types=1);

require __DIR__ . '/../src/functions.php';

startSession();
$problem = '';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    requireOwnForm();
    $user = findUser(postedText('username'));
    if ($user !== null && password_verify(postedText('password'), $user['password'])) {
        session_regenerate_id(true);
        $_SESSION['user_id'] = $user['id'];
        header('Location: inbox.php', response_code: 303);
        exit;
    }
    http_response_code(422);
    $problem = 'The name or the password is wrong.';
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in</title>
<h1>Sign in</h1>
<p role="alert"><?= $problem ?></p>
<form method="post">
    <input type="hidden" name="csrf" value="<?= $_SESSION['csrf'] ?>">
    <p><label>Name <input name="username" required></label></p>
    <p><label>Password <input name="password" type="password" required></label></p>
    <p><button>Sign in</button></p>
</form>
