<?php
// The way that tutorials show: phpredis to publish, PDO to store. BENCH_CONNECT says how it connects: once
// for the process, "persistent" as PHP offers it, or for every "call".
declare(strict_types=1);

const HOW = ['once' => 0, 'persistent' => 1, 'call' => 2];

function how(): int
{
    static $how = null;
    return $how ??= HOW[getenv('BENCH_CONNECT') ?: 'once'];
}

function redis(): Redis
{
    static $redis = null;
    if ($redis === null || how() === 2) {
        $redis = new Redis();
        $socket = getenv('BENCH_REDIS_SOCKET');
        how() === 1 ? $redis->pconnect($socket) : $redis->connect($socket);
    }
    return $redis;
}

function database(): PDO
{
    static $pdo = null;
    if ($pdo === null || how() === 2) {
        $pdo = new PDO(
            'mysql:unix_socket=' . getenv('BENCH_MYSQL_SOCKET') . ';dbname=' . getenv('BENCH_MYSQL_DATABASE') . ';charset=utf8mb4',
            getenv('BENCH_MYSQL_USER'),
            getenv('BENCH_MYSQL_PASSWORD'),
            [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_PERSISTENT => how() === 1],
        );
    }
    return $pdo;
}

function push(int $user, string $content): bool
{
    return redis()->publish("user:$user", $content) > 0;
}

function push_warm(int $user): void
{
    redis()->ping();
}

function store(int $user, string $content): bool
{
    $pdo = database();
    $insert = $pdo->prepare('INSERT INTO `offline_message` (`sender_id`, `receiver_id`, `content`, `send_time`) VALUES (:sender_id, :receiver_id, :content, NOW())');
    $insert->execute([':sender_id' => 1, ':receiver_id' => $user, ':content' => $content]);
    $update = $pdo->prepare('UPDATE `user` SET `unread_count` = `unread_count` + 1 WHERE `id` = :receiver_id');
    return $update->execute([':receiver_id' => $user]);
}

/** The same by somebody who knows of transactions: one commit, and no counter without its row. */
function store_together(int $user, string $content): bool
{
    $pdo = database();
    return $pdo->beginTransaction() && store($user, $content) && $pdo->commit();
}

/** Round trips that do nothing. */
function ask_redis(int $user): bool
{
    return (bool) redis()->ping();
}

function ask_database(int $user): bool
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
    $select = database()->prepare('SELECT `id`, `sender_id`, `receiver_id`, `content`, `send_time` FROM `offline_message` WHERE `receiver_id` = :receiver_id ORDER BY `id` LIMIT 1000');
    $select->execute([':receiver_id' => $user]);
    return $select->fetchAll(PDO::FETCH_ASSOC);
}

/** The loop at a login: read, push, delete. */
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
