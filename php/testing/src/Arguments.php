<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * The checks of a call's arguments, with the messages of the extension.
 *
 * @internal
 */
final class Arguments
{
    private const USER_RANGE = 'must be between 1 and 2147483647';
    private const MOST_ELEMENTS = 10_000;

    /** @param string $function the full name of the function */
    public function __construct(private readonly string $function)
    {
    }

    public function user(int $position, string $name, int $id): int
    {
        return self::isUser($id) ? $id : throw $this->error($position, $name, self::USER_RANGE);
    }

    public function content(int $position, string $content): void
    {
        $this->text($position, 'content', $content, 65_535);
    }

    public function type(int $position, string|int $type): void
    {
        if (is_string($type)) {
            $this->text($position, 'type', $type, 64);
        }
    }

    /** An id that a sender chooses. */
    public function chosenId(int $position, ?string $id): void
    {
        $rule = 'must be 1 to 64 printable ASCII characters';
        $this->match($position, 'message_id', $id, '/\A[ -~]{1,64}\z/', $rule);
    }

    /** The id of a message that exists. */
    public function messageId(int $position, ?string $id): void
    {
        $rule = 'must be 1 to 129 printable ASCII bytes';
        $this->match($position, 'message_id', $id, '/\A[ -~]{1,129}\z/', $rule);
    }

    public function conversation(int $position, ?string $name): void
    {
        $rule = 'must be 1 to 64 letters, digits, or any of . _ : @ -';
        $this->match($position, 'conversation', $name, '/\A[A-Za-z0-9._:@-]{1,64}\z/', $rule);
    }

    public function between(int $position, string $name, int $number, int $least, int $most): void
    {
        if ($number < $least || $number > $most) {
            throw $this->error($position, $name, "must be between $least and $most");
        }
    }

    public function atLeast(int $position, string $name, int $number, int $least): void
    {
        if ($number < $least) {
            throw $this->error($position, $name, "must be greater than or equal to $least");
        }
    }

    /**
     * User ids, each once, in the order of the list.
     *
     * @return list<int>
     */
    public function users(int $position, string $name, array $ids): array
    {
        $users = [];
        foreach ($this->numbers($position, $name, $ids) as $element => $id) {
            if (!self::isUser($id)) {
                $rule = "must contain only user ids, $element is $id, which " . self::USER_RANGE;
                throw $this->error($position, $name, $rule);
            }
            $users[$id] = $id;
        }
        return array_values($users);
    }

    /** @return list<int> */
    public function rows(int $position, string $name, array $ids): array
    {
        $rows = [];
        foreach ($this->numbers($position, $name, $ids) as $element => $id) {
            if ($id < 1) {
                $rule = "must contain only row ids greater than 0, $element is $id";
                throw $this->error($position, $name, $rule);
            }
            $rows[] = $id;
        }
        return $rows;
    }

    /**
     * The elements of a list by their names. A text of digits is a number, as in a call without strict types.
     *
     * @return iterable<string, int>
     */
    private function numbers(int $position, string $name, array $list): iterable
    {
        if (count($list) > self::MOST_ELEMENTS) {
            $rule = 'must have at most ' . self::MOST_ELEMENTS . ' elements';
            throw $this->error($position, $name, $rule);
        }
        foreach ($list as $key => $value) {
            $key = is_string($key) ? "'" . addcslashes(mb_scrub($key, 'UTF-8'), "\\'") . "'" : $key;
            $element = str_replace("\0", '\0', "\${$name}[$key]");
            $number = is_string($value) ? filter_var(trim($value), FILTER_VALIDATE_INT) : $value;
            if (!is_int($number)) {
                $type = is_object($value) ? 'object' : get_debug_type($value);
                $rule = "must be a list of int, $element is $type";
                throw new \TypeError($this->message($position, $name, $rule));
            }
            yield $element => $number;
        }
    }

    private function text(int $position, string $name, string $text, int $longest): void
    {
        if (strlen($text) > $longest) {
            throw $this->error($position, $name, "must have at most $longest bytes");
        }
        if (preg_match('//u', $text) !== 1) {
            throw $this->error($position, $name, 'must be valid UTF-8');
        }
    }

    private function match(int $position, string $name, ?string $text, string $pattern, string $rule): void
    {
        if ($text !== null && preg_match($pattern, $text) !== 1) {
            throw $this->error($position, $name, $rule);
        }
    }

    private static function isUser(int $id): bool
    {
        return $id >= 1 && $id <= 2_147_483_647;
    }

    private function error(int $position, string $name, string $rule): \ValueError
    {
        return new \ValueError($this->message($position, $name, $rule));
    }

    private function message(int $position, string $name, string $rule): string
    {
        return "$this->function(): Argument #$position (\$$name) $rule";
    }
}
