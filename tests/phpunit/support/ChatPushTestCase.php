<?php
declare(strict_types=1);

use PHPUnit\Framework\TestCase;

/** Asks again and again until the answer is true; the deadline is far beyond what a busy machine needs. */
function eventually(string $what, callable $probe): void
{
    $deadline = microtime(true) + 20;
    while (!$probe()) {
        if (microtime(true) > $deadline) {
            throw new RuntimeException("$what: not within 20 s");
        }
        usleep(10_000);
    }
}

abstract class ChatPushTestCase extends TestCase
{
    protected function setUp(): void
    {
        ini_set('chatpush.redis_url', Stack::redisUrl());
        ini_set('chatpush.prefix', Stack::prefix());
        // The machine may be busy; tests that are about the bound set it themselves.
        ini_set('chatpush.timeout_ms', '15000');
        ini_set('chatpush.durability', 'committed');
        ini_set('chatpush.errors', 'exception');
    }

    /** A prefix that no daemon serves and no other test uses. */
    protected static function unservedPrefix(): string
    {
        $prefix = 'unserved' . bin2hex(random_bytes(4));
        ini_set('chatpush.prefix', $prefix);
        return $prefix;
    }

    /** Expects an exception, and returns it. */
    protected static function expectThrown(string $class, callable $call): Throwable
    {
        try {
            $call();
        } catch (Throwable $thrown) {
            self::assertSame($class, $thrown::class, $thrown->getMessage());
            return $thrown;
        }
        self::fail("$class was not thrown");
    }

    /** The key of one user's log and the channel of one user. */
    protected static function log(string $prefix, int $user): string
    {
        return sprintf('%s:{%d}:log', $prefix, $user % 16);
    }

    protected static function channel(string $prefix, int $user): string
    {
        return sprintf('%s:{%d}:user:%d', $prefix, $user % 16, $user);
    }

    /** A user of the user table that no other test has, with no unread messages. */
    protected static function newUser(): int
    {
        $insert = Stack::database()->prepare("INSERT INTO `user` (`username`, `password`) VALUES (?, '')");
        $insert->execute(['user-' . bin2hex(random_bytes(8))]);
        return (int) Stack::database()->lastInsertId();
    }

    /** The contents in the table, oldest first. */
    protected static function stored(int $user): array
    {
        $rows = Stack::database()->query("SELECT `content` FROM `offline_message` WHERE `receiver_id` = $user ORDER BY `id`");
        return $rows->fetchAll(PDO::FETCH_COLUMN);
    }

    protected static function unread(int $user): int
    {
        return (int) Stack::database()->query("SELECT `unread_count` FROM `user` WHERE `id` = $user")->fetchColumn();
    }

    protected static function token(int $user): string
    {
        // As connectToken() makes it; the secret is not this process's to set.
        return self::jwt(['sub' => (string) $user, 'iat' => time(), 'exp' => time() + 60], Stack::secret());
    }

    protected static function jwt(array $claims, string $secret, string $algorithm = 'HS256'): string
    {
        $encode = fn (string $text) => rtrim(strtr(base64_encode($text), '+/', '-_'), '=');
        $signed = $encode(json_encode(['alg' => $algorithm, 'typ' => 'JWT'])) . '.' . $encode(json_encode($claims));
        $hash = ['HS256' => 'sha256', 'HS512' => 'sha512'][$algorithm] ?? null;
        return "$signed." . ($hash === null ? '' : $encode(hash_hmac($hash, $signed, $secret, true)));
    }
}
