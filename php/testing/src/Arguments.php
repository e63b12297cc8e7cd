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
    private const ROOM_RULE = 'must be 1 to 64 letters, digits, or any of . _ : @ -';
    private const MOST_ELEMENTS = 10_000;

    /** @param string $function the full name of the function */
    public function __construct(private readonly string $function)
    {
    }

    /** A user id of any type. */
    public function anyUser(int $position, string $name, int|string $id): void
    {
        if (!UserIdType::isAny($id)) {
            throw $this->error($position, $name, 'must be a number, or ' . UserIdType::Text->rule());
        }
    }

    /** A user id of the installation's type. */
    public function user(int $position, string $name, int|string $id): int|string
    {
        $this->anyUser($position, $name, $id);
        $type = Memory::get()->userIdType;
        return $type->id($id) ?? throw $this->error($position, $name, 'must be ' . $type->rule() . $type->hint($id));
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

    /** The name of a conversation. An integer is its digits, because PHP makes integers of such keys. */
    public function conversation(int $position, int|string|null $name): ?string
    {
        $name = $name === null ? null : (string) $name;
        $rule = 'must be 1 to 64 letters, digits, or any of . _ : @ -';
        $this->match($position, 'conversation', $name, '/\A[A-Za-z0-9._:@-]{1,64}\z/', $rule);
        return $name;
    }

    /** The JSON of a subscription to Web Push. Returns its endpoint. */
    public function pushSubscription(int $position, string $json): string
    {
        $bytes = fn (mixed $text) => is_string($text) && preg_match('/\A[A-Za-z0-9_-]+=*\z/', $text) === 1
            ? (string) base64_decode(strtr($text, '-_', '+/'))
            : '';
        $isText = fn (mixed $value) => $value === null || is_string($value);
        $read = strlen($json) > 2_048 ? null : json_decode($json);
        $keys = $read?->keys ?? null;
        $endpoint = $read?->endpoint ?? null;
        $p256dh = $keys?->p256dh ?? null;
        $auth = $keys?->auth ?? null;
        $isObject = is_object($read) && ($keys === null || is_object($keys));
        $rule = match (true) {
            strlen($json) > 2_048 => 'must have at most 2048 bytes',
            !$isObject, !$isText($endpoint), !$isText($p256dh), !$isText($auth)
                => 'must be a PushSubscription as JSON: JSON.stringify(subscription)',
            !self::isEndpoint((string) $endpoint)
                => 'must have an endpoint: an https address of at most 1500 bytes',
            !str_starts_with($bytes($p256dh), "\4") || strlen($bytes($p256dh)) !== 65
                => 'must have keys.p256dh: 65 bytes in base64url, the first of which is 0x04',
            strlen($bytes($auth)) !== 16 => 'must have keys.auth: 16 bytes in base64url',
            default => null,
        };
        return $rule === null ? $endpoint : throw $this->error($position, 'subscription_json', $rule);
    }

    /** Where a browser can be reached. */
    public function pushEndpoint(int $position, string $endpoint): void
    {
        if (!self::isEndpoint($endpoint)) {
            throw $this->error($position, 'endpoint', 'must be an https address of at most 1500 bytes');
        }
    }

    /** The name of a room. An integer is its digits, because PHP makes integers of such keys. */
    public function room(int $position, string|int $name): string
    {
        $name = (string) $name;
        if (!self::isRoom($name)) {
            throw $this->error($position, 'room', self::ROOM_RULE);
        }
        return $name;
    }

    /**
     * Names of rooms, each once. An integer is its digits, because PHP makes integers of such keys.
     *
     * @return list<string>
     */
    public function rooms(int $position, string $name, array $list): array
    {
        $rooms = [];
        foreach ($this->elements($position, $name, $list, 100) as $element => $value) {
            if (!is_string($value) && !is_int($value)) {
                throw $this->typeError($position, $name, 'string', $element, $value);
            }
            if (!self::isRoom((string) $value)) {
                $rule = "must contain only names of rooms, $element " . self::ROOM_RULE;
                throw $this->error($position, $name, $rule);
            }
            $rooms[(string) $value] = (string) $value;
        }
        return array_map(strval(...), array_values($rooms));
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
     * @return list<int|string>
     */
    public function users(int $position, string $name, array $ids, int $most = self::MOST_ELEMENTS): array
    {
        $users = [];
        $type = Memory::get()->userIdType;
        foreach ($this->anyUsers($position, $name, $ids, $most) as $element => $listed) {
            $id = $type->id($listed);
            if ($id === null) {
                $wanted = $type->rule() . $type->hint($listed);
                $rule = "must contain only user ids, $element is $listed, which must be $wanted";
                throw $this->error($position, $name, $rule);
            }
            $users[$id] = $id;
        }
        return array_values($users);
    }

    /**
     * Ids that some type has, by the names of the elements.
     *
     * @return iterable<string, int|string>
     */
    public function anyUsers(int $position, string $name, array $ids, int $most): iterable
    {
        foreach ($this->elements($position, $name, $ids, $most) as $element => $id) {
            if (!is_string($id)) {
                $id = $this->number($position, $name, $id)
                    ?? throw $this->typeError($position, $name, 'string|int', $element, $id);
            }
            if (!UserIdType::isAny($id)) {
                $rule = 'must be a number, or ' . UserIdType::Text->rule();
                throw $this->error($position, $name, "must contain only user ids, and $element $rule");
            }
            yield $element => $id;
        }
    }

    /** @return list<int> */
    public function rows(int $position, string $name, array $ids): array
    {
        $rows = [];
        foreach ($this->elements($position, $name, $ids, self::MOST_ELEMENTS) as $element => $value) {
            $id = $this->number($position, $name, $value)
                ?? throw $this->typeError($position, $name, 'int', $element, $value);
            if ($id < 1) {
                $rule = "must contain only row ids greater than 0, $element is $id";
                throw $this->error($position, $name, $rule);
            }
            $rows[] = $id;
        }
        return $rows;
    }

    /**
     * The elements of a list by their names.
     *
     * @return iterable<string, mixed>
     */
    private function elements(int $position, string $name, array $list, int $most): iterable
    {
        if (count($list) > $most) {
            throw $this->error($position, $name, "must have at most $most elements");
        }
        foreach ($list as $key => $value) {
            $key = is_string($key) ? "'" . addcslashes(self::scrubbed($key), "\\'") . "'" : $key;
            yield str_replace("\0", '\0', "\${$name}[$key]") => $value;
        }
    }

    /** UTF-8, without what is none. mbstring may be missing. */
    private static function scrubbed(string $text): string
    {
        return json_decode(json_encode($text, JSON_INVALID_UTF8_SUBSTITUTE));
    }

    /** A value by the rules of an `int` argument in the file that has called; null if it is none. */
    private function number(int $position, string $name, mixed $value): ?int
    {
        if (is_int($value)) {
            return $value;
        }
        if ($this->callerIsStrict()) {
            return null;
        }
        if ($value === null) {
            // As a function of an extension does.
            $parameter = "parameter #$position (\$$name) of type array";
            trigger_error("$this->function(): Passing null to $parameter is deprecated", E_USER_DEPRECATED);
            return 0;
        }
        try {
            // PHP calls a callback without strict types.
            return array_map(fn (int $number) => $number, [$value])[0];
        } catch (\TypeError) {
            return null;
        }
    }

    /** Whether the file that has called the function declares strict types. PHP itself calls without. */
    private function callerIsStrict(): bool
    {
        foreach (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS) as $call) {
            if ($call['function'] === $this->function && !isset($call['class'])) {
                return isset($call['file']) && self::isStrict($call['file']);
            }
        }
        return false;
    }

    private static function isStrict(string $file): bool
    {
        static $known = [];
        // The declaration is the first statement.
        return $known[$file] ??= preg_match(
            '~\A(?:#![^\n]*\n)?<\?php(?:\s+|//[^\n]*|\#[^\n]*|/\*.*?\*/)*declare\s*\(\s*strict_types\s*=\s*1~is',
            (string) @file_get_contents($file),
        ) === 1;
    }

    private function typeError(
        int $position,
        string $name,
        string $expected,
        string $element,
        mixed $value,
    ): \TypeError {
        // PHP before 8.3 names the class.
        $type = is_object($value) && PHP_VERSION_ID >= 80_300 ? 'object' : get_debug_type($value);
        return new \TypeError($this->message($position, $name, "must be a list of $expected, $element is $type"));
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

    private static function isEndpoint(string $text): bool
    {
        $parts = preg_match('/\A[!-~]{1,1500}\z/', $text) === 1 ? parse_url($text) : false;
        $known = is_array($parts) && ($parts['scheme'] ?? '') === 'https' && isset($parts['host']);
        return $known && !isset($parts['user']) && !isset($parts['pass']) && !isset($parts['fragment']);
    }

    private static function isRoom(string $name): bool
    {
        return preg_match('/\A[A-Za-z0-9._:@-]{1,64}\z/', $name) === 1;
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
