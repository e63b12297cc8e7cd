<?php

declare(strict_types=1);

/** The functions that the extension declares, and arguments that each of them takes. */
final class ExtensionFunctions
{
    /** Whose user ids may be of any type: PHP writes nothing, and the daemon refuses the token. */
    public const TOKENS = ['ChatPush\connectToken', 'ChatPush\grantToken'];

    /** The keys are those of RFC 8291, appendix A. */
    public const SUBSCRIPTION = '{"endpoint":"https://push.example/a","keys":{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZs'
        . 'Ec6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}';

    /**
     * Their names as PHP's errors spell them, also those of the global ones.
     *
     * @return list<string>
     */
    public static function names(): array
    {
        return array_keys((new ReflectionExtension('chatpush'))->getFunctions());
    }

    /**
     * Calls with arguments that are right, by name, of the functions that need Redis. Where a message may have
     * an id, there is one call without and one with an id.
     *
     * @return array<string, Closure>
     */
    public static function calls(): array
    {
        $calls = [];
        foreach (self::names() as $name) {
            $local = [...self::TOKENS, 'ChatPush\ping', 'ChatPush\close'];
            if (!str_starts_with($name, 'ChatPush\\') || in_array($name, $local, true)) {
                continue;
            }
            $required = self::required($name);
            $calls[$name] = fn () => $name(...$required);
            $all = self::arguments($name);
            if (isset($all['message_id']) && !isset($required['message_id'])) {
                $calls["$name with an id"] = fn () => $name(...$required, message_id: $all['message_id']);
            }
        }
        return $calls;
    }

    /** Arguments for all parameters of a function, by name. */
    public static function arguments(string $function, int|string $user = 7): array
    {
        // Of the same partition, if it is a number.
        $other = is_int($user) ? $user + 64 : "$user.too";
        $good = [
            'user_id' => $user,
            'receiver_id' => $user,
            'sender_id' => $user,
            'content' => 'x',
            'type' => 'text',
            'message_id' => 'id',
            'conversation' => 'team',
            'room' => 'room',
            'limit' => 10,
            'after_id' => 0,
            'ttl_seconds' => 60,
            'lease_seconds' => 60,
            'subscription_json' => self::SUBSCRIPTION,
            'endpoint' => 'https://push.example/a',
            'ids' => [5, 6],
            'user_ids' => [$user, $other],
            'receiver_ids' => [$user, $other],
            'peers' => [],
            'rooms' => [],
        ];
        $arguments = [];
        foreach ((new ReflectionFunction($function))->getParameters() as $parameter) {
            $arguments[$parameter->getName()] = $good[$parameter->getName()];
        }
        return $arguments;
    }

    private static function required(string $function): array
    {
        $parameters = (new ReflectionFunction($function))->getParameters();
        $optional = array_filter($parameters, fn (ReflectionParameter $parameter) => $parameter->isOptional());
        $names = array_map(fn (ReflectionParameter $parameter) => $parameter->getName(), $optional);
        return array_diff_key(self::arguments($function), array_flip($names));
    }
}
