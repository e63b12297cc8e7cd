<?php

// The baseline, as tutorials show it: phpredis publishes, PDO stores. BENCH_CONNECT sets how it connects:
// "once" per process, with "persistent" connections of PHP, or again for each "call".
declare(strict_types=1);

const CONNECT_MODES = ['once' => 0, 'persistent' => 1, 'call' => 2];

function connect_mode(): int
{
    static $mode = null;
    return $mode ??= CONNECT_MODES[getenv('BENCH_CONNECT') ?: 'once'];
}

function redis(): Redis
{
    static $redis = null;
    if ($redis === null || connect_mode() === 2) {
        $redis = new Redis();
        $socket = getenv('BENCH_REDIS_SOCKET');
        connect_mode() === 1 ? $redis->pconnect($socket) : $redis->connect($socket);
    }
    return $redis;
}

function database(): PDO
{
    static $pdo = null;
    if ($pdo === null || connect_mode() === 2) {
        $socket = getenv('BENCH_MYSQL_SOCKET');
        $database = getenv('BENCH_MYSQL_DATABASE');
        $pdo = new PDO(
            "mysql:unix_socket=$socket;dbname=$database;charset=utf8mb4",
            getenv('BENCH_MYSQL_USER'),
            getenv('BENCH_MYSQL_PASSWORD'),
            [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_PERSISTENT => connect_mode() === 1],
        );
    }
    return $pdo;
}

function push(int $user, string $content): bool
{
    return redis()->publish("user:$user", $content) > 0;
}

function push_warmup(int $user): void
{
    redis()->ping();
}

function store(int $user, string $content): bool
{
    $pdo = database();
    $insert = $pdo->prepare(
        'INSERT INTO `offline_message` (`sender_id`, `receiver_id`, `content`, `send_time`) '
        . 'VALUES (:sender_id, :receiver_id, :content, NOW())',
    );
    $insert->execute([':sender_id' => 1, ':receiver_id' => $user, ':content' => $content]);
    $update = $pdo->prepare('UPDATE `user` SET `unread_count` = `unread_count` + 1 WHERE `id` = :id');
    return $update->execute([':id' => $user]);
}

/** The same in one transaction: one commit, and the counter changes only together with the row. */
function store_in_transaction(int $user, string $content): bool
{
    $pdo = database();
    return $pdo->beginTransaction() && store($user, $content) && $pdo->commit();
}

/** A round trip without work. */
function ping_redis(int $user): bool
{
    return (bool) redis()->ping();
}

function ping_database(int $user): bool
{
    return database()->exec('DO 1') !== false;
}

function count_unread(int $user): int
{
    $select = database()->prepare('SELECT `unread_count` FROM `user` WHERE `id` = :id');
    $select->execute([':id' => $user]);
    return (int) $select->fetchColumn();
}

function fetch(int $user): array
{
    $select = database()->prepare(
        'SELECT `id`, `sender_id`, `receiver_id`, `content`, `send_time` FROM `offline_message` '
        . 'WHERE `receiver_id` = :receiver_id ORDER BY `id` LIMIT 1000',
    );
    $select->execute([':receiver_id' => $user]);
    return $select->fetchAll(PDO::FETCH_ASSOC);
}

/** What an application does at a login: read, push, delete. */
function log_in(int $user): bool
{
    foreach (fetch($user) as $message) {
        push($user, $message['content']);
    }
    $delete = database()->prepare('DELETE FROM `offline_message` WHERE `receiver_id` = :receiver_id');
    $delete->execute([':receiver_id' => $user]);
    $update = database()->prepare('UPDATE `user` SET `unread_count` = 0 WHERE `id` = :id');
    return $update->execute([':id' => $user]);
}

/** A row and a count for each receiver, in one transaction. */
function store_many(int $first, string $content): bool
{
    $pdo = database();
    $pdo->beginTransaction();
    foreach (receivers($first) as $user) {
        store($user, $content);
    }
    return $pdo->commit();
}
