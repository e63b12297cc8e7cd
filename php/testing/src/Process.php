<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * The calls that reach no daemon.
 *
 * @internal
 */
final class Process
{
    /** A token in the format of the extension. */
    public static function connectToken(string $function, int $user, int $ttl): string
    {
        $check = new Arguments($function);
        $check->user(1, 'user_id', $user);
        $check->between(2, 'ttl_seconds', $ttl, 1, 31_536_000);
        $now = time();
        return self::signed(['sub' => (string) $user, 'iat' => $now, 'exp' => $now + $ttl]);
    }

    public static function ping(): bool
    {
        return !Memory::get()->fails();
    }

    /** @param array<string, mixed> $claims of a JSON Web Token (RFC 7519) */
    private static function signed(array $claims): string
    {
        $encode = fn (string $text) => rtrim(strtr(base64_encode($text), '+/', '-_'), '=');
        $signed = $encode('{"alg":"HS256","typ":"JWT"}') . '.' . $encode(json_encode($claims));
        return "$signed." . $encode(hash_hmac('sha256', $signed, Server::SECRET, true));
    }
}
