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
    public static function connectToken(string $function, int|string $user, int $ttl): string
    {
        $check = new Arguments($function);
        $check->anyUser(1, 'user_id', $user);
        $check->between(2, 'ttl_seconds', $ttl, 1, 31_536_000);
        return self::signed(self::claims($user, $ttl), 'JWT');
    }

    /** A grant in the format of the extension. */
    public static function grantToken(string $function, int|string $user, array $peers, array $rooms, int $ttl): string
    {
        $check = new Arguments($function);
        $check->anyUser(1, 'user_id', $user);
        $peers = array_unique(iterator_to_array($check->anyUsers(2, 'peers', $peers, 500), false));
        $rooms = $check->rooms(3, 'rooms', $rooms);
        $check->between(4, 'ttl_seconds', $ttl, 1, 31_536_000);
        $claims = self::claims($user, $ttl) + ['peers' => array_values($peers), 'rooms' => $rooms];
        return self::signed($claims, 'chatpush-grant+jwt');
    }

    public static function ping(): bool
    {
        return !Memory::get()->fails();
    }

    /** @return array<string, mixed> */
    private static function claims(int|string $user, int $ttl): array
    {
        $now = time();
        return ['sub' => (string) $user, 'iat' => $now, 'exp' => $now + $ttl];
    }

    /** @param array<string, mixed> $claims of a JSON Web Token (RFC 7519) */
    private static function signed(array $claims, string $type): string
    {
        $encode = fn (string $text) => rtrim(strtr(base64_encode($text), '+/', '-_'), '=');
        $signed = $encode("{\"alg\":\"HS256\",\"typ\":\"$type\"}") . '.' . $encode(json_encode($claims));
        return "$signed." . $encode(hash_hmac('sha256', $signed, Server::SECRET, true));
    }
}
