<?php
// Registration and sign-in.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$username = '';
$problem = null;
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    require_own_post();
    $username = is_string($_POST['username'] ?? null) ? trim($_POST['username']) : '';
    $password = is_string($_POST['password'] ?? null) ? str_replace("\0", '', $_POST['password']) : '';
    $problem = isset($_POST['register']) ? register($username, $password) : sign_in_with($username, $password);
    if ($problem === null) {
        go('./');
    }
    http_response_code(422);
}

/** Creates the user and signs in. Returns the problem, if any. */
function register(string $username, string $password): ?string
{
    if (preg_match('/^[\p{L}\p{N} ._-]{2,30}$/u', $username) !== 1) {
        return 'A name has 2 to 30 letters, digits, spaces, dots or dashes.';
    }
    if (strlen($password) < 8 || strlen($password) > 72) {
        return 'A password has 8 to 72 characters.';
    }
    $hash = password_hash($password, PASSWORD_DEFAULT);
    try {
        query('INSERT INTO `user` (`username`, `password`) VALUES (?, ?)', [$username, $hash]);
    } catch (PDOException $exception) {
        if ($exception->errorInfo[1] === 1062) {
            return 'That name is taken.';
        }
        throw $exception;
    }
    sign_in((int) database()->lastInsertId(), $username);
    return null;
}

/** Signs in. Returns the problem, if any. */
function sign_in_with(string $username, string $password): ?string
{
    $user = query('SELECT `id`, `username`, `password` FROM `user` WHERE `username` = ?', [$username])[0] ?? null;
    // An unknown name takes as long as a wrong password.
    $right = $user === null ? !password_hash($password, PASSWORD_DEFAULT) : password_verify($password, $user['password']);
    if (!$right) {
        return 'The name or the password is wrong.';
    }
    sign_in($user['id'], $user['username']);
    return null;
}

head('Sign in');
?>
<body class="sign-in">
<main>
    <h1>Chat</h1>
    <p>Messages arrive at once, and wait for people who are offline.</p>
    <?php if ($problem !== null) { ?><p class="problem" role="alert"><?= h($problem) ?></p><?php } ?>
    <form method="post">
        <input type="hidden" name="csrf" value="<?= h($_SESSION['csrf']) ?>">
        <label>Name <input name="username" value="<?= h($username) ?>" autocomplete="username" required autofocus></label>
        <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
        <div class="buttons">
            <button>Sign in</button>
            <button name="register" value="1" class="second">Register</button>
        </div>
    </form>
</main>
</body>
</html>
