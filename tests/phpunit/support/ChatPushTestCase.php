<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

/** Polls until the probe returns true. The deadline is long, because the machine may be busy. */
function eventually(string $what, callable $probe): void
{
    $deadline = microtime(true) + 180;
    while (!$probe()) {
        if (microtime(true) > $deadline) {
            throw new RuntimeException("$what: not within 180 s");
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
        // The machine may be busy. Tests in which a call waits in vain set their own.
        ini_set('chatpush.timeout_ms', '60000');
        ini_set('chatpush.durability', 'committed');
        ini_set('chatpush.errors', 'exception');
    }

    /** Sets a new prefix that no daemon serves, and returns it. */
    protected static function unservedPrefix(): string
    {
        $prefix = 'unserved' . bin2hex(random_bytes(4));
        ini_set('chatpush.prefix', $prefix);
        // Daemons have served it before.
        $record = Stack::redis()->call('GET', Stack::prefix() . ':installation');
        Stack::redis()->call('SET', "$prefix:installation", $record);
        return $prefix;
    }

    /** Expects an exception of exactly this class, and returns it. */
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

    /** The hash tag of a user's partition. */
    protected static function tag(int $user): string
    {
        $tags = json_decode(file_get_contents(__DIR__ . '/../../golden/tags.json'), true, 512, JSON_THROW_ON_ERROR);
        return $tags[$user % count($tags)];
    }

    /** The key of the log of a user's partition. */
    protected static function log(string $prefix, int $user): string
    {
        return sprintf('%s:{%s}:log', $prefix, self::tag($user));
    }

    /** The channel of a user. */
    protected static function channel(string $prefix, int $user): string
    {
        return sprintf('%s:{%s}:user:%d', $prefix, self::tag($user), $user);
    }

    /** Inserts a new user and returns the id. */
    protected static function newUser(): int
    {
        $insert = Stack::database()->prepare("INSERT INTO `user` (`username`, `password`) VALUES (?, '')");
        $insert->execute(['user-' . bin2hex(random_bytes(8))]);
        return (int) Stack::database()->lastInsertId();
    }

    /** Options for another PHP process with the extension. */
    protected static function options(): array
    {
        return [
            '-d', 'extension=' . getenv('CHATPUSH_EXTENSION'),
            '-d', 'chatpush.timeout_ms=60000',
            '-d', 'chatpush.redis_url=' . Stack::redisUrl(),
        ];
    }

    /** The stored contents of a user, oldest first. */
    protected static function stored(int $user): array
    {
        $select = "SELECT `content` FROM `offline_message` WHERE `receiver_id` = $user ORDER BY `id`";
        return Stack::database()->query($select)->fetchAll(PDO::FETCH_COLUMN);
    }

    protected static function unread(int $user): int
    {
        $select = "SELECT `unread_count` FROM `user` WHERE `id` = $user";
        return (int) Stack::database()->query($select)->fetchColumn();
    }

    protected static function token(int $user): string
    {
        // Signed here, because this process cannot set chatpush.secret at runtime.
        return self::jwt(['sub' => (string) $user, 'iat' => time(), 'exp' => time() + 60], Stack::secret());
    }

    protected static function jwt(
        array $claims,
        string $secret,
        string $algorithm = 'HS256',
        string $type = 'JWT',
    ): string {
        $encode = fn (string $text) => rtrim(strtr(base64_encode($text), '+/', '-_'), '=');
        $header = ['alg' => $algorithm, 'typ' => $type];
        $signed = $encode(json_encode($header)) . '.' . $encode(json_encode($claims));
        $hash = ['HS256' => 'sha256', 'HS512' => 'sha512'][$algorithm] ?? null;
        return "$signed." . ($hash === null ? '' : $encode(hash_hmac($hash, $signed, $secret, true)));
    }
}
