<?php

declare(strict_types=1);

/** The application's own connection, opened at the first use. */
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

/** Runs a statement and returns its rows. */
function query(string $sql, array $values = []): array
{
    $statement = database()->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}
