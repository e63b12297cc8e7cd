<?php
declare(strict_types=1);

/**
 * Every parameter of every function, with every kind of wrong value. A function or a parameter that is not in the
 * tables here fails.
 */
final class BadInputTest extends ChatPushTestCase
{
    /**
     * @dataProvider parameters
     * A wrong value is a `ValueError` that names the parameter, also where errors are warnings.
     */
    public function testWrongValueIsNamed(string $function, int $position, string $parameter): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        foreach (['exception', 'warning'] as $errors) {
            ini_set('chatpush.errors', $errors);
            foreach (self::wrongValues($function, $parameter) as $name => $value) {
                $thrown = self::expectThrown(ValueError::class, self::call($function, $parameter, $value));
                $start = "$function(): Argument #$position (\$$parameter) must ";
                self::assertStringStartsWith($start, $thrown->getMessage(), (string) $name);
                $element = is_array($value) && count($value) === 1 ? "\${$parameter}['key']" : '';
                self::assertStringContainsString($element, $thrown->getMessage());
            }
        }
        self::assertSame(["$prefix:installation"], Stack::redis()->call('KEYS', "$prefix:*"), 'nothing is queued');
    }

    /** Nothing reaches those who are connected, also where what is wrong stands behind their id in a list. */
    public function testNothingIsPushedByACallWithAWrongValue(): void
    {
        $user = self::newUser();
        $socket = new WebSocket(self::token($user));
        $socket->untilUnreadCount();
        // Longer than what one script call takes.
        $others = range(2_000_000, 2_000_300);
        foreach (self::parameters() as [$function, , $parameter]) {
            $isList = in_array($parameter, ['user_ids', 'receiver_ids'], true);
            foreach (self::wrongValues($function, $parameter) as $value) {
                $value = $isList ? [$user, ...$others, ...$value] : $value;
                self::expectThrown(ValueError::class, self::call($function, $parameter, $value, $user));
            }
            foreach ($isList ? self::wrongTypes($parameter) : [] as $value) {
                $value = [$user, ...$others, is_array($value) ? reset($value) : 1.5];
                self::expectThrown(TypeError::class, self::call($function, $parameter, $value, $user));
            }
        }
        self::assertTrue(pushMessage($user, 'the end', 'text'));
        self::assertSame('the end', $socket->message()['data']);
        self::assertSame([[], 0], [self::stored($user), self::unread($user)]);
    }

    /**
     * @dataProvider parameters
     * A wrong type is a `TypeError` that names the parameter, also where errors are warnings.
     */
    public function testWrongTypeIsNamed(string $function, int $position, string $parameter): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        foreach (['exception', 'warning'] as $errors) {
            ini_set('chatpush.errors', $errors);
            foreach (self::wrongTypes($parameter) as $value) {
                $thrown = self::expectThrown(TypeError::class, self::call($function, $parameter, $value));
                $start = "$function(): Argument #$position (\$$parameter) must be ";
                self::assertStringStartsWith($start, $thrown->getMessage());
            }
        }
        self::assertSame(["$prefix:installation"], Stack::redis()->call('KEYS', "$prefix:*"), 'nothing is queued');
    }

    /**
     * @dataProvider parameters
     * A reference and a value in one mean the same.
     */
    public function testReferenceIsReadAndKept(string $function, int $position, string $parameter): void
    {
        self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        ini_set('chatpush.errors', 'warning');
        $arguments = ExtensionFunctions::arguments($function);
        $value = &$arguments[$parameter];
        if (is_array($value) && $value !== []) {
            $element = &$value[array_key_first($value)];
        }
        $before = unserialize(serialize($arguments));
        $expected = @$function(...$before);
        self::assertEquals($expected, @$function(...$arguments));
        self::assertSame($before, unserialize(serialize($arguments)));
    }

    /** @dataProvider idTypes */
    public function testIdsOfTheOtherTypesAreValueErrors(string $type, array $ids): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        $key = "$prefix:installation";
        $record = Stack::redis()->call('GET', $key);
        Stack::redis()->call('SET', $key, str_replace('"user_id_type":"int"', "\"user_id_type\":\"$type\"", $record));
        foreach (['exception', 'warning'] as $errors) {
            ini_set('chatpush.errors', $errors);
            foreach (self::parameters() as [$function, , $parameter]) {
                if (in_array($function, ExtensionFunctions::TOKENS, true)) {
                    continue;
                }
                foreach ($ids as $id) {
                    $value = match ($parameter) {
                        'user_id', 'receiver_id', 'sender_id' => $id,
                        'user_ids', 'receiver_ids' => [self::good($type), 'key' => $id],
                        default => null,
                    };
                    if ($value !== null) {
                        $call = self::call($function, $parameter, $value, self::good($type));
                        $message = self::expectThrown(ValueError::class, $call)->getMessage();
                        self::assertStringContainsString("(\$$parameter) must ", $message);
                        self::assertStringContainsString(is_array($value) ? "['key']" : '', $message);
                    }
                }
            }
        }
        self::assertSame([$key], Stack::redis()->call('KEYS', "$prefix:*"), 'nothing is queued');
    }

    public static function idTypes(): iterable
    {
        yield 'int' => ['int', [0, -1, 2147483648, '2147483648', 'Bob', '5.0', '007x', '']];
        yield 'bigint' => ['bigint', [0, '0', '9223372036854775808', '-9223372036854775809', 'Bob', '1e3']];
        yield 'text' => ['text', ['a:b', 'a b', 'é', '', "a\0", str_repeat('x', 65)]];
    }

    /** An empty list needs no Redis: nobody is reached, and nothing is changed. */
    public function testAnEmptyListTakesNoTrip(): void
    {
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        $lists = array_filter(
            iterator_to_array(self::parameters()),
            fn (array $parameter) => in_array($parameter[2], ['ids', 'user_ids', 'receiver_ids'], true),
        );
        self::assertGreaterThanOrEqual(4, count($lists));
        foreach ($lists as [$function, , $parameter]) {
            $type = (string) (new ReflectionFunction($function))->getReturnType();
            $empty = ['array' => [], 'int' => 0][$type];
            self::assertSame($empty, self::call($function, $parameter, [])(), $function);
        }
    }

    /** Whose id fits no type of this installation gets a token all the same; the daemon refuses it. */
    public function testTokensNeedNoRedisAndTakeIdsOfAnyType(): void
    {
        $code = 'foreach ([-7, "Bob", "9223372036854775807", "a@b.c-d_e", str_repeat("x", 64)] as $id) {
            foreach (["connectToken", "grantToken"] as $name) {
                [, $claims] = explode(".", "ChatPush\\\\$name"($id));
                assert(json_decode(base64_decode(strtr($claims, "-_", "+/")), true)["sub"] === (string) $id);
                echo "token ";
            }
        }';
        $settings = ['chatpush.redis_url' => 'unix:///nowhere/redis.sock', 'chatpush.secret' => str_repeat('s', 32)];
        $script = new Script($code, $settings + ['zend.assertions' => '1', 'assert.exception' => '1']);
        self::assertSame(str_repeat('token ', 10), $script->output);
    }

    /** A NUL is a character of a content and of a type like any other. */
    public function testNulsInTextsArrive(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        self::assertCount(2, ChatPush\sendToUsers(1, [2, 66], "a\0b", "c\0d"));
        self::assertNotNull(ChatPush\sendMessage(1, 2, "\0", "\0"));
        self::assertTrue(storeOfflineMessage(1, 2, "\0\0"));
        $entries = Stack::redis()->call('XRANGE', self::log($prefix, 2), '-', '+');
        $values = array_map(fn (array $entry) => array_column(array_chunk($entry[1], 2), 1, 0), $entries);
        self::assertSame(["a\0b", "\0", "\0\0"], array_column($values, 'c'));
        self::assertSame(["s:c\0d", "s:\0"], array_column($values, 't'));
    }

    /** @dataProvider functions */
    public function testFailureAsAWarningGivesTheEmptyValueOfTheType(string $function): void
    {
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
        ini_set('chatpush.timeout_ms', '300');
        ini_set('chatpush.errors', 'warning');
        $warnings = [];
        set_error_handler(function (int $level, string $text) use (&$warnings) {
            $warnings[] = [$level, $text];
            return true;
        });
        try {
            $result = $function(...ExtensionFunctions::arguments($function));
        } finally {
            restore_error_handler();
        }
        $type = (string) (new ReflectionFunction($function))->getReturnType();
        $empty = ['array' => [], 'bool' => false, 'int' => 0, 'string' => '', 'void' => null];
        self::assertSame(($empty + ['?ChatPush\Delivery' => null])[$type], $result, $type);
        $silent = in_array($function, ['ChatPush\ping', 'ChatPush\close'], true);
        self::assertCount($silent ? 0 : 1, $warnings);
        foreach ($warnings as [$level, $text]) {
            self::assertSame(E_WARNING, $level);
            self::assertStringStartsWith('chatpush: ', $text);
        }
    }

    public static function functions(): iterable
    {
        foreach (ExtensionFunctions::names() as $name) {
            yield $name => [$name];
        }
    }

    public static function parameters(): iterable
    {
        foreach (ExtensionFunctions::names() as $name) {
            foreach ((new ReflectionFunction($name))->getParameters() as $i => $parameter) {
                yield "$name \${$parameter->getName()}" => [$name, $i + 1, $parameter->getName()];
            }
        }
    }

    private static function wrongValues(string $function, string $parameter): iterable
    {
        $names = ['', 'a b', 'a/b', 'é', "a\0", "\xFF", str_repeat('r', 65)];
        $ids = in_array($function, ExtensionFunctions::TOKENS, true)
            ? ['', 'a:b', 'a b', "1\0", str_repeat('x', 65)]
            : [0, -1, 2147483648, PHP_INT_MIN, '', '0', 'Bob', 'a:b', "1\0", ' 1', '1.0', str_repeat('9', 65)];
        $wrong = [
            'user_id' => $ids,
            'receiver_id' => $ids,
            'sender_id' => $ids,
            'content' => [str_repeat('x', 65_536), "\xFF", "half \xF0\x9F\x91"],
            'type' => [str_repeat('t', 65), "\xFF"],
            'message_id' => ['', "a\n", 'é', "a\0", "\x7F", str_repeat('x', 130)],
            'conversation' => $names,
            'room' => $names,
            'limit' => [0, -1, 100_001, PHP_INT_MAX],
            'after_id' => [-1, PHP_INT_MIN],
            'ttl_seconds' => [0, -1, 31_536_001, PHP_INT_MAX],
            'lease_seconds' => [0, -1, 86_401, PHP_INT_MAX],
            'subscription_json' => [
                '', '[]', '{}', "\xFF", str_repeat(' ', 2_049),
                strtr(ExtensionFunctions::SUBSCRIPTION, ['https' => 'http']),
            ],
            'endpoint' => [
                '', 'push.example', 'http://push.example/a', 'https://push.example/ a', 'https://a@push.example/',
                'https://push.example/#a', "https://push.example/\0", "\xFF",
                'https://push.example/' . str_repeat('x', 1_480),
            ],
            'ids' => [['key' => 0], ['key' => -1], range(1, 10_001)],
            'user_ids' => [...self::inLists($ids), range(1, 10_001)],
            'receiver_ids' => [...self::inLists($ids), range(1, 10_001), array_fill(0, 10_001, 1)],
            'peers' => [...self::inLists(['', 'a:b', 'é', "1\0", str_repeat('x', 65)]), range(1, 501)],
            'rooms' => [...self::inLists($names), array_fill(0, 101, 'a')],
        ];
        return $wrong[$parameter];
    }

    private static function wrongTypes(string $parameter): iterable
    {
        $texts = [5, 1.5, true, [], new stdClass()];
        $ids = [1.5, true, null, [], new stdClass()];
        $wrong = [
            'user_id' => $ids,
            'receiver_id' => $ids,
            'sender_id' => $ids,
            'content' => [...$texts, null],
            'type' => $ids,
            'message_id' => $texts,
            // PHP makes numbers of keys that look like one.
            'conversation' => array_slice($texts, 1),
            'subscription_json' => [...$texts, null],
            'endpoint' => [...$texts, null],
            'room' => $ids,
            'limit' => ['5', 1.5, true, null, []],
            'after_id' => ['5', 1.5, true, null, []],
            'ttl_seconds' => ['5', 1.5, true, null, []],
            'lease_seconds' => ['5', 1.5, true, null, []],
            'ids' => [5, '5', null, new ArrayObject([1]), ...self::inLists(['two', 1.5, null, [], new stdClass()])],
            'user_ids' => [5, '5', null, new ArrayObject([1]), ...self::inLists($ids)],
            'receiver_ids' => [5, '5', null, new ArrayObject([1]), ...self::inLists($ids)],
            'peers' => [5, '5', null, new ArrayObject([1]), ...self::inLists($ids)],
            // A number is taken for a name, since PHP makes numbers of keys that look like one.
            'rooms' => [5, 'a', null, new ArrayObject(['a']), ...self::inLists([1.5, true, null, []])],
        ];
        return $wrong[$parameter];
    }

    private static function inLists(array $values): array
    {
        return array_map(fn (mixed $value) => ['key' => $value], $values);
    }

    /** A user id of a type. */
    private static function good(string $type): int|string
    {
        return $type === 'text' ? 'ann' : 7;
    }

    private static function call(string $function, string $parameter, mixed $value, int|string $user = 7): Closure
    {
        return fn () => $function(...[$parameter => $value] + ExtensionFunctions::arguments($function, $user));
    }
}
