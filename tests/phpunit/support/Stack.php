<?php

declare(strict_types=1);

/** The servers that chatpush-stack has started for the tests. */
final class Stack
{
    public static function redisUrl(): string
    {
        return self::get('REDIS_URL');
    }

    public static function redis(): RedisConnection
    {
        static $redis = null;
        return $redis ??= new RedisConnection('unix://' . self::get('REDIS_SOCKET'));
    }

    public static function database(): PDO
    {
        static $pdo = null;
        return $pdo ??= self::connectTo(self::get('MYSQL_DATABASE'));
    }

    /** Connects to another database. */
    public static function connectTo(string $database): PDO
    {
        $name = sprintf('mysql:unix_socket=%s;dbname=%s;charset=utf8mb4', self::get('MYSQL_SOCKET'), $database);
        return new PDO($name, self::get('MYSQL_USER'), self::get('MYSQL_PASSWORD'));
    }

    /** Creates another database, and returns its URL for the daemon. */
    public static function createDatabase(string $name): string
    {
        $root = new PDO('mysql:unix_socket=' . self::get('MYSQL_SOCKET'), 'root', '');
        $root->exec("CREATE DATABASE `$name` CHARACTER SET utf8mb4");
        $root->exec(sprintf('GRANT ALL ON `%s`.* TO %s@localhost', $name, self::get('MYSQL_USER')));
        return str_replace('/' . self::get('MYSQL_DATABASE') . '?', "/$name?", self::get('MYSQL_URL'));
    }

    public static function secret(): string
    {
        return self::get('SECRET');
    }

    /** The URL of the daemon's WebSocket. */
    public static function webSocketUrl(): string
    {
        return self::get('WS_URL');
    }

    /** The URL of nginx, which serves the pages of the FPM tests. */
    public static function httpUrl(): string
    {
        return self::get('HTTP_URL');
    }

    /** The prefix of the daemon. */
    public static function prefix(): string
    {
        return self::get('PREFIX');
    }

    private static function get(string $name): string
    {
        return getenv("CHATPUSH_TEST_$name") ?: throw new LogicException("CHATPUSH_TEST_$name is not set");
    }
}
