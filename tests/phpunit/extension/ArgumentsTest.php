<?php

declare(strict_types=1);

/** Arguments follow PHP's own rules. A value out of range is a ValueError, and nothing is queued. */
final class ArgumentsTest extends ChatPushTestCase
{
    public function testWeakModeConvertsArguments(): void
    {
        self::unservedPrefix();
        self::assertFalse(self::callWeakly('pushMessage', '5', 17, 3));
        self::assertFalse(self::callWeakly('pushMessage', 5.0, true, '3'));
        $thrown = self::expectThrown(
            TypeError::class,
            fn () => self::callWeakly('pushMessage', [5], 'x', 'text'),
        );
        self::assertSame(
            'pushMessage(): Argument #1 ($receiver_id) must be of type string|int, array given',
            $thrown->getMessage(),
        );
        $thrown = self::expectThrown(TypeError::class, fn () => self::callWeakly('pushMessage', 5, 'x', []));
        self::assertSame(
            'pushMessage(): Argument #3 ($type) must be of type string|int, array given',
            $thrown->getMessage(),
        );
    }

    public function testStrictModeDoesNotConvert(): void
    {
        self::unservedPrefix();
        self::expectThrown(TypeError::class, fn () => pushMessage(5.0, 'x', 'text'));
        self::expectThrown(TypeError::class, fn () => pushMessage(5, 17, 'text'));
        self::expectThrown(TypeError::class, fn () => pushMessage(5, 'x', 1.5));
        self::expectThrown(TypeError::class, fn () => getOfflineMessage(5, null));
        self::expectThrown(ArgumentCountError::class, fn () => pushMessage(5, 'x'));
        self::expectThrown(ArgumentCountError::class, fn () => getUnreadCount(1, 2));
    }

    public function testNamedArguments(): void
    {
        self::unservedPrefix();
        self::assertFalse(pushMessage(type: 1, content: 'x', receiver_id: 5));
        self::assertFalse(ChatPush\isOnline(user_id: 5));
        ini_set('chatpush.durability', 'queued');
        self::assertSame(
            ChatPush\Delivery::Stored,
            ChatPush\sendMessage(1, 2, content: 'x', message_id: 'named'),
        );
        self::expectThrown(TypeError::class, fn () => ChatPush\sendMessage(1, 2, 'x', null));
        self::expectThrown(Error::class, fn () => pushMessage(receiver: 5, content: 'x', type: 1));
    }

    /** @dataProvider outOfRange */
    public function testOutOfRangeArgumentIsAValueError(string $message, callable $call): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        foreach (['exception', 'warning'] as $errors) {
            ini_set('chatpush.errors', $errors);
            self::assertSame($message, self::expectThrown(ValueError::class, $call)->getMessage());
        }
        self::assertSame(["$prefix:installation"], Stack::redis()->call('KEYS', "$prefix:*"), 'nothing is queued');
    }

    public static function outOfRange(): iterable
    {
        $range = 'must be between 1 and 2147483647';
        foreach ([0, -1, 2147483648, PHP_INT_MAX, PHP_INT_MIN] as $id) {
            yield "push to $id" => [
                "pushMessage(): Argument #1 (\$receiver_id) $range",
                fn () => pushMessage($id, '', ''),
            ];
            yield "store from $id" => [
                "storeOfflineMessage(): Argument #1 (\$sender_id) $range",
                fn () => storeOfflineMessage($id, 1, ''),
            ];
            yield "store for $id" => [
                "storeOfflineMessage(): Argument #2 (\$receiver_id) $range",
                fn () => storeOfflineMessage(1, $id, ''),
            ];
            yield "rows of $id" => [
                "getOfflineMessage(): Argument #1 (\$user_id) $range",
                fn () => getOfflineMessage($id),
            ];
            yield "counter of $id" => [
                "getUnreadCount(): Argument #1 (\$user_id) $range",
                fn () => getUnreadCount($id),
            ];
            yield "disconnect $id" => [
                "ChatPush\\disconnectUser(): Argument #1 (\$user_id) $range",
                fn () => ChatPush\disconnectUser($id),
            ];
            yield "clear $id" => [
                "ChatPush\\clearUnreadCount(): Argument #1 (\$user_id) $range",
                fn () => ChatPush\clearUnreadCount($id),
            ];
        }
        foreach (['', str_repeat('x', 65), 'a:b', 'a b', "a\n", 'é', "\xFF", "\0"] as $i => $id) {
            $rule = 'must be a number, or 1 to 64 characters of A-Z, a-z, 0-9, and . _ @ -';
            yield "token of text $i" => [
                "ChatPush\\connectToken(): Argument #1 (\$user_id) $rule",
                fn () => ChatPush\connectToken($id),
            ];
            yield "push to text $i" => [
                "pushMessage(): Argument #1 (\$receiver_id) $rule",
                fn () => pushMessage($id, '', ''),
            ];
        }
        foreach (['0', '-1', '2147483648', '5.0', 'Bob'] as $id) {
            $hint = $id === 'Bob' ? ' (user_id_type is int; for ids such as Bob set it to text)' : '';
            yield "store for $id as a text" => [
                "storeOfflineMessage(): Argument #2 (\$receiver_id) $range$hint",
                fn () => storeOfflineMessage(1, $id, ''),
            ];
        }
        $long = str_repeat('x', 65536);
        yield 'long push' => [
            'pushMessage(): Argument #2 ($content) must have at most 65535 bytes',
            fn () => pushMessage(1, $long, ''),
        ];
        yield 'long store' => [
            'storeOfflineMessage(): Argument #3 ($content) must have at most 65535 bytes',
            fn () => storeOfflineMessage(1, 1, $long),
        ];
        yield 'emoji over the end' => [
            'storeOfflineMessage(): Argument #3 ($content) must have at most 65535 bytes',
            fn () => storeOfflineMessage(1, 1, str_repeat('👍', 16384)),
        ];
        yield 'no UTF-8' => [
            'storeOfflineMessage(): Argument #3 ($content) must be valid UTF-8',
            fn () => storeOfflineMessage(1, 1, "\xC3\x28"),
        ];
        yield 'half an emoji' => [
            'pushMessage(): Argument #2 ($content) must be valid UTF-8',
            fn () => pushMessage(1, substr('👍', 0, 3), ''),
        ];
        yield 'a surrogate' => [
            'pushMessage(): Argument #2 ($content) must be valid UTF-8',
            fn () => pushMessage(1, "\xED\xA0\x80", ''),
        ];
        yield 'long type' => [
            'pushMessage(): Argument #3 ($type) must have at most 64 bytes',
            fn () => pushMessage(1, '', str_repeat('t', 65)),
        ];
        yield 'type no UTF-8' => [
            'pushMessage(): Argument #3 ($type) must be valid UTF-8',
            fn () => pushMessage(1, '', "\xFF"),
        ];
        foreach (['', str_repeat('x', 65), "a\nb", 'é', "\x7F", "\0"] as $i => $id) {
            yield "message id $i" => [
                'ChatPush\sendMessage(): Argument #5 ($message_id) must be '
                    . '1 to 64 printable ASCII characters',
                fn () => ChatPush\sendMessage(1, 2, '', 'text', $id),
            ];
        }
        foreach (['', str_repeat('x', 130), "a\nb", 'é', "\0"] as $i => $id) {
            yield "recalled id $i" => [
                'ChatPush\recallMessage(): Argument #3 ($message_id) must be 1 to 129 printable ASCII bytes',
                fn () => ChatPush\recallMessage(1, 2, $id),
            ];
        }
        yield 'recalling sender' => [
            'ChatPush\recallMessage(): Argument #1 ($sender_id) must be between 1 and 2147483647',
            fn () => ChatPush\recallMessage(0, 2, 'a'),
        ];
        foreach (['', str_repeat('x', 65), 'a b', "a\n", 'é', 'a/b', "\0"] as $i => $name) {
            yield "conversation $i" => [
                'ChatPush\sendMessage(): Argument #6 ($conversation) must be '
                    . '1 to 64 letters, digits, or any of . _ : @ -',
                fn () => ChatPush\sendMessage(1, 2, '', 'text', null, $name),
            ];
        }
        yield 'send a long type' => [
            'ChatPush\sendMessage(): Argument #4 ($type) must have at most 64 bytes',
            fn () => ChatPush\sendMessage(1, 2, '', str_repeat('t', 65)),
        ];
        yield 'no rows' => [
            'getOfflineMessage(): Argument #2 ($limit) must be between 1 and 100000',
            fn () => getOfflineMessage(1, 0),
        ];
        yield 'too many rows' => [
            'getOfflineMessage(): Argument #2 ($limit) must be between 1 and 100000',
            fn () => getOfflineMessage(1, 100001),
        ];
        yield 'before the first' => [
            'getOfflineMessage(): Argument #3 ($after_id) must be greater than or equal to 0',
            fn () => getOfflineMessage(1, 1, -1),
        ];
        yield 'ack of row 0' => [
            'ChatPush\ackOfflineMessage(): Argument #2 ($ids) must contain only row ids greater than 0, '
                . '$ids[1] is 0',
            fn () => ChatPush\ackOfflineMessage(1, [1, 0]),
        ];
        yield 'ack of a negative row with a key' => [
            'ChatPush\ackOfflineMessage(): Argument #2 ($ids) must contain only row ids greater than 0, '
                . "\$ids['a\\0b'] is -5",
            fn () => ChatPush\ackOfflineMessage(1, ["a\0b" => -5]),
        ];
        yield 'ack of too many' => [
            'ChatPush\ackOfflineMessage(): Argument #2 ($ids) must have at most 10000 elements',
            fn () => ChatPush\ackOfflineMessage(1, range(1, 10001)),
        ];
        $lists = [
            'pushToUsers' => fn (array $list) => ChatPush\pushToUsers($list, 'x', 'text'),
            'getOnlineUsers' => fn (array $list) => ChatPush\getOnlineUsers($list),
            'sendToUsers' => fn (array $list) => ChatPush\sendToUsers(1, $list, 'x'),
        ];
        foreach ($lists as $name => $call) {
            $parameter = $name === 'getOnlineUsers' ? 'user_ids' : 'receiver_ids';
            $position = $name === 'sendToUsers' ? 2 : 1;
            $must = "ChatPush\\$name(): Argument #$position (\$$parameter) must";
            $element = "$must contain only user ids, \${$parameter}[%s] is %d, which $range";
            yield "$name to 0" => [sprintf($element, '5', 0), fn () => $call([1, 2, 3, 4, 6, 0, -1])];
            yield "$name to too large an id" => [
                sprintf($element, "'a\\0b'", 2147483648),
                fn () => $call([1, "a\0b" => 2147483648]),
            ];
            yield "$name to too many" => [
                "$must have at most 10000 elements",
                fn () => $call(array_fill(0, 10001, 1)),
            ];
        }
        $send = fn (mixed ...$arguments) => fn () => ChatPush\sendToUsers(...$arguments);
        yield 'send to many from 0' => [
            "ChatPush\\sendToUsers(): Argument #1 (\$sender_id) $range",
            $send(0, [1], 'x'),
        ];
        yield 'send too much to many' => [
            'ChatPush\sendToUsers(): Argument #3 ($content) must have at most 65535 bytes',
            $send(1, [1], $long),
        ];
        yield 'send to many with a long id' => [
            'ChatPush\sendToUsers(): Argument #5 ($message_id) must be 1 to 64 printable ASCII characters',
            $send(1, [1], '', 'text', str_repeat('x', 65)),
        ];
        yield 'send to many in a conversation with a space' => [
            'ChatPush\sendToUsers(): Argument #6 ($conversation) must be '
                . '1 to 64 letters, digits, or any of . _ : @ -',
            $send(1, [1], '', 'text', null, 'a b'),
        ];
        yield 'push too much to many' => [
            'ChatPush\pushToUsers(): Argument #2 ($content) must have at most 65535 bytes',
            fn () => ChatPush\pushToUsers([1], $long, ''),
        ];
        $name = 'must be 1 to 64 letters, digits, or any of . _ : @ -';
        foreach (['', 'a b', 'a{b}', 'é', "a\0b", str_repeat('r', 65)] as $i => $room) {
            yield "push to room $i" => [
                "ChatPush\\pushToRoom(): Argument #1 (\$room) $name",
                fn () => ChatPush\pushToRoom($room, 'x', 'text'),
            ];
            yield "users of room $i" => [
                "ChatPush\\getRoomUsers(): Argument #1 (\$room) $name",
                fn () => ChatPush\getRoomUsers($room),
            ];
            yield "grant for room $i" => [
                'ChatPush\grantToken(): Argument #3 ($rooms) must contain only names of rooms, '
                    . "\$rooms['k'] $name",
                fn () => ChatPush\grantToken(1, [], ['good', 'k' => $room]),
            ];
        }
        yield 'push too much to a room' => [
            'ChatPush\pushToRoom(): Argument #2 ($content) must have at most 65535 bytes',
            fn () => ChatPush\pushToRoom('a', $long, ''),
        ];
        yield 'push too much to all' => [
            'ChatPush\pushToAll(): Argument #1 ($content) must have at most 65535 bytes',
            fn () => ChatPush\pushToAll($long, ''),
        ];
        yield 'push a long type to all' => [
            'ChatPush\pushToAll(): Argument #2 ($type) must have at most 64 bytes',
            fn () => ChatPush\pushToAll('', str_repeat('t', 65)),
        ];
        yield 'grant for a peer with a colon' => [
            'ChatPush\grantToken(): Argument #2 ($peers) must contain only user ids, '
                . 'and $peers[5] must be a number, or 1 to 64 characters of A-Z, a-z, 0-9, and . _ @ -',
            fn () => ChatPush\grantToken(1, [1, 5 => 'a:b']),
        ];
        yield 'grant for too many peers' => [
            'ChatPush\grantToken(): Argument #2 ($peers) must have at most 500 elements',
            fn () => ChatPush\grantToken(1, range(1, 501)),
        ];
        yield 'grant for too many rooms' => [
            'ChatPush\grantToken(): Argument #3 ($rooms) must have at most 100 elements',
            fn () => ChatPush\grantToken(1, [], array_fill(0, 101, 'a')),
        ];
        yield 'grant for ever' => [
            'ChatPush\grantToken(): Argument #4 ($ttl_seconds) must be between 1 and 31536000',
            fn () => ChatPush\grantToken(1, ttl_seconds: 31536001),
        ];
        yield 'token for no time' => [
            'ChatPush\connectToken(): Argument #2 ($ttl_seconds) must be between 1 and 31536000',
            fn () => ChatPush\connectToken(1, 0),
        ];
        yield 'token for ever' => [
            'ChatPush\connectToken(): Argument #2 ($ttl_seconds) must be between 1 and 31536000',
            fn () => ChatPush\connectToken(1, 31536001),
        ];
    }

    public function testRoomsAreTexts(): void
    {
        foreach (['null' => null, 'array' => [], 'float' => 1.5, 'bool' => true] as $type => $room) {
            $thrown = self::expectThrown(TypeError::class, fn () => ChatPush\grantToken(1, [], ['a', $room]));
            self::assertSame(
                "ChatPush\\grantToken(): Argument #3 (\$rooms) must be a list of string, \$rooms[1] is $type",
                $thrown->getMessage(),
            );
        }
        $thrown = self::expectThrown(TypeError::class, fn () => ChatPush\grantToken(1, [[2]]));
        self::assertStringContainsString('must be a list of string|int, $peers[0] is array', $thrown->getMessage());
    }

    public function testElementsOfListsMustBeIds(): void
    {
        $calls = [
            'ackOfflineMessage(): Argument #2 ($ids) must be a list of int, $ids[1]'
                => fn (array $list) => ChatPush\ackOfflineMessage(1, $list),
            'pushToUsers(): Argument #1 ($receiver_ids) must be a list of string|int, $receiver_ids[1]'
                => fn (array $list) => ChatPush\pushToUsers($list, 'x', 'text'),
            'sendToUsers(): Argument #2 ($receiver_ids) must be a list of string|int, $receiver_ids[1]'
                => fn (array $list) => ChatPush\sendToUsers(1, $list, 'x'),
            'getOnlineUsers(): Argument #1 ($user_ids) must be a list of string|int, $user_ids[1]'
                => fn (array $list) => ChatPush\getOnlineUsers($list),
        ];
        foreach ($calls as $message => $call) {
            $values = ['string' => 'two', 'null' => null, 'array' => [1], 'float' => 1.0];
            if (str_contains($message, 'string|int')) {
                unset($values['string']);
            }
            foreach ($values as $type => $id) {
                $thrown = self::expectThrown(TypeError::class, fn () => $call([1, $id]));
                self::assertSame("ChatPush\\$message is $type", $thrown->getMessage());
            }
        }
    }

    /** What foreach by reference leaves, an unset element, numeric strings in weak mode, doubles. */
    public function testRowIdsMayComeInAnyList(): void
    {
        $user = self::newUser();
        foreach (['a', 'b', 'c', 'd'] as $text) {
            storeOfflineMessage(1, $user, $text);
        }
        $ids = array_column(getOfflineMessage($user), 'id');
        foreach ($ids as &$id) {
        }
        self::assertSame(1, ChatPush\ackOfflineMessage($user, array_slice($ids, 0, 1)));
        unset($ids[0], $ids[2]);
        self::assertSame(2, ChatPush\ackOfflineMessage($user, $ids));
        unset($id);
        [['id' => $last]] = getOfflineMessage($user);
        $reference = (string) $last;
        $list = ['x' => &$reference, 'y' => (float) $last, "\xff" => $last];
        self::assertSame(1, self::callWeakly('ChatPush\ackOfflineMessage', $user, $list));
        self::assertSame((string) $last, $reference, 'the application\'s variable keeps its type');
        self::assertSame(0, ChatPush\ackOfflineMessage($user, []));
    }

    /** Every other function that takes a list of users. */
    public function testListsOfUsersMayHoldReferences(): void
    {
        [$one, $other] = [self::newUser(), self::newUser()];
        $calls = [
            fn (array $ids) => ChatPush\pushToUsers($ids, 'x', 'text'),
            fn (array $ids) => ChatPush\getOnlineUsers($ids),
            fn (array $ids) => ChatPush\sendToUsers(1, $ids, 'x'),
        ];
        foreach ($calls as $call) {
            $plain = [$one, $other];
            $expected = $call($plain);
            foreach ($plain as &$last) {
            }
            self::assertSame($expected, $call($plain));
            // A number may come as a text, and stays one for the application.
            $text = (string) $one;
            self::assertSame($expected, $call(['x' => &$text, 'y' => &$last, 'z' => &$text]));
            self::assertSame([(string) $one, $other], [$text, $last], 'variables keep their types');
            unset($last, $text);
        }
    }

    /** The same of grants. Another process signs them, because this one cannot set the secret. */
    public function testListsOfGrantsMayHoldReferences(): void
    {
        $code = <<<'PHP'
            function claims(array $peers, array $rooms): array
            {
                $token = ChatPush\grantToken(1, $peers, $rooms);
                $claims = json_decode(base64_decode(strtr(explode('.', $token)[1], '-_', '+/')), true);
                return [$claims['peers'], $claims['rooms']];
            }
            [$peers, $rooms] = [[7, '8'], ['a', 'b']];
            $expected = claims($peers, $rooms);
            foreach ($peers as &$peer) {
            }
            foreach ($rooms as &$room) {
            }
            $seven = 7;
            var_dump(
                claims($peers, $rooms) === $expected,
                claims(['x' => &$seven, 'y' => &$peer], [&$rooms[0], &$room]) === $expected,
                [$peer, $room, $seven] === ['8', 'b', 7],
            );
            PHP;
        $script = new Script($code, ['chatpush.secret' => str_repeat('s', 32)]);
        self::assertSame(str_repeat("bool(true)\n", 3), $script->output);
    }

    public function testDeprecationsAreThoseOfPhp(): void
    {
        self::unservedPrefix();
        $seen = [];
        set_error_handler(function (int $level, string $text) use (&$seen) {
            $seen[] = [$level, $text];
            return true;
        });
        try {
            self::expectThrown(ValueError::class, fn () => self::callWeakly('pushMessage', null, 'x', 'text'));
            self::assertFalse(self::callWeakly('pushMessage', 5.5, null, 'text'));
        } finally {
            restore_error_handler();
        }
        $null = 'Passing null to parameter';
        self::assertSame([
            [E_DEPRECATED, "pushMessage(): $null #1 (\$receiver_id) of type string|int is deprecated"],
            [E_DEPRECATED, 'Implicit conversion from float 5.5 to int loses precision'],
            [E_DEPRECATED, "pushMessage(): $null #2 (\$content) of type string is deprecated"],
        ], $seen);
    }

    public function testTypesAreCheckedBeforeValues(): void
    {
        $calls = [
            'pushMessage(): Argument #2 ($content) must be of type string, array given'
                => fn () => pushMessage(0, [], 'text'),
            'ChatPush\sendMessage(): Argument #5 ($message_id) must be of type ?string, array given'
                => fn () => ChatPush\sendMessage(0, 2, 'x', 'text', []),
            'ChatPush\ackOfflineMessage(): Argument #2 ($ids) must be of type array, string given'
                => fn () => ChatPush\ackOfflineMessage(0, 'x'),
        ];
        foreach ($calls as $message => $call) {
            self::assertSame($message, self::expectThrown(TypeError::class, $call)->getMessage());
        }
    }

    public function testKeysOfAListAreIgnored(): void
    {
        self::unservedPrefix();
        self::expectThrown(
            ChatPush\UnavailableException::class,
            fn () => ChatPush\ackOfflineMessage(1, ["\xff" => 5]),
        );
    }

    /** PHP converts 1.5 for string|int with a deprecation, and goes on when the handler has thrown. */
    public function testNothingIsQueuedWhenAnErrorHandlerThrows(): void
    {
        $prefix = self::unservedPrefix();
        ini_set('chatpush.durability', 'queued');
        set_error_handler(fn (int $level, string $text) => throw new ErrorException($text));
        try {
            $call = fn () => self::callWeakly('ChatPush\sendMessage', 1, 2, 'x', 1.5);
            self::expectThrown(ErrorException::class, $call);
        } finally {
            restore_error_handler();
        }
        self::assertSame(["$prefix:installation"], Stack::redis()->call('KEYS', "$prefix:*"), 'nothing is queued');
    }

    /** Calls a function without strict types, which this file declares. */
    private static function callWeakly(string $function, mixed ...$arguments): mixed
    {
        return (new ReflectionFunction($function))->invoke(...$arguments);
    }
}
