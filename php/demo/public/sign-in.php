<?php

/** Registration and sign-in. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';
require __DIR__ . '/../src/accounts.php';

$username = '';
[$wrong, $problem] = [null, null];
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    require_own_post();
    $username = trim(text($_POST, 'username'));
    $password = str_replace("\0", '', text($_POST, 'password'));
    $sign = isset($_POST['register']) ? register(...) : sign_in_with(...);
    $refused = $sign($username, $password);
    if ($refused === null) {
        go('./');
    }
    [$wrong, $problem] = $refused;
    http_response_code(422);
}

// The field that has to be corrected gets the focus, and names the problem to screen readers.
$attributes = fn (string $field): string => implode(' ', array_filter([
    $field === ($wrong ?? 'username') ? 'autofocus' : '',
    $field === $wrong ? 'aria-invalid="true" aria-describedby="wrong"' : '',
]));
$hint = (string) getenv('CHAT_SIGN_IN_HINT');

head('Sign in');
?>
<body class="sign-in">
<main>
    <h1><img src="icon.svg" alt="" width="32" height="32"> Chat</h1>
    <p>Messages arrive at once, and wait for people who are offline.</p>
    <?php if ($hint !== '') : ?>
        <p class="hint"><?= h($hint) ?></p>
    <?php endif ?>
    <form method="post">
        <input type="hidden" name="csrf" value="<?= h($_SESSION['csrf']) ?>">
        <label>Name
            <input name="username" value="<?= h($username) ?>" autocomplete="username" required
                <?= $attributes('username') ?>>
        </label>
        <label>Password
            <input name="password" type="password" autocomplete="current-password" required
                <?= $attributes('password') ?>>
        </label>
        <?php if ($problem !== null) : ?>
            <p id="wrong" role="alert"><?= h($problem) ?></p>
        <?php endif ?>
        <div class="buttons">
            <button>Sign in</button>
            <button class="second" name="register" value="1">Register</button>
        </div>
    </form>
</main>
</body>
</html>
