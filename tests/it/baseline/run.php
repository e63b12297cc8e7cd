<?php
// Runs snippets of the baseline, which are verbatim in the files beside this one, in one process.
// It sets the variables that they leave to the application: $pdo, $type, $is_online, and its own arguments.
// Usage: run.php [NAME=VALUE…] SNIPPET…

[$socket, $database] = [getenv('IT_MYSQL_SOCKET'), getenv('IT_MYSQL_DATABASE')];
$pdo = new PDO("mysql:unix_socket=$socket;dbname=$database;charset=utf8mb4", 'chatpush', 'pw');
$type = 'chat';

foreach (array_slice($argv, 1) as $argument) {
    [$name, $value] = explode('=', $argument, 2) + [1 => null];
    if ($value === null) {
        require __DIR__ . "/$name.php";
        continue;
    }
    $$name = $value;
    if ($name === 'receiver_id') {
        $is_online = ChatPush\isOnline($value);
    }
}
