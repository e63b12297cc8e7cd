<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/** The types of user ids, as the setting user_id_type of chatpushd has them. */
enum UserIdType: string
{
    case Int = 'int';
    case BigInt = 'bigint';
    case Text = 'text';

    /**
     * What an id of this type must be.
     *
     * @internal
     */
    public function rule(): string
    {
        return match ($this) {
            self::Int => 'between 1 and 2147483647',
            self::BigInt => 'a number of 64 bits other than 0',
            self::Text => '1 to 64 characters of A-Z, a-z, 0-9, and . _ @ -',
        };
    }

    /**
     * What to add to the error of an id that is none of this type: the call that allows ids like it. Empty if the id
     * has no letter.
     *
     * @internal
     */
    public function hint(int|string $id): string
    {
        return $this !== self::Text && preg_match('/[A-Za-z]/', (string) $id) === 1
            ? " (user_id_type is $this->value; for ids such as $id set it to text: Server::setUserIdType(UserIdType::Text))"
            : '';
    }

    /**
     * Whether some type has this id.
     *
     * @internal
     */
    public static function isAny(int|string $id): bool
    {
        return is_int($id) || preg_match('/\A[A-Za-z0-9._@-]{1,64}\z/', $id) === 1;
    }

    /**
     * The id of this type; null if the type does not have it.
     *
     * @internal
     */
    public function id(int|string $id): int|string|null
    {
        if ($this === self::Text) {
            return (string) $id;
        }
        if (is_string($id)) {
            $digits = preg_match('/\A(-?)0*([0-9]+)\z/', $id, $parts) === 1;
            $id = $digits ? filter_var($parts[1] . $parts[2], FILTER_VALIDATE_INT) : false;
        }
        $range = $this === self::Int ? [1, 2_147_483_647] : [PHP_INT_MIN, PHP_INT_MAX];
        return is_int($id) && $id !== 0 && $id >= $range[0] && $id <= $range[1] ? $id : null;
    }
}
