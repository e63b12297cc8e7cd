<?php

/**
 * Makes the visitor a member of the staff. An application has its own sign-in.
 */

declare(strict_types=1);

require __DIR__ . '/../functions.php';

start_visit();
$password = (string) getenv('CHAT_STAFF_PASSWORD');
$name = (string) ($_POST['name'] ?? '');
if ($password !== '' && hash_equals($password, (string) ($_POST['password'] ?? ''))
    && in_array($name, ['mira', 'tom'], true)) {
    session_regenerate_id(true);
    $_SESSION['visitor'] = "staff.$name";
    header('Location: page.php', response_code: 303);
    exit;
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Staff</title>
<h1>Staff</h1>
<form method="post">
    <p><label>Name <input name="name" required></label></p>
    <p><label>Password <input name="password" type="password" required></label></p>
    <p><button>Sign in</button></p>
</form>
</html>
