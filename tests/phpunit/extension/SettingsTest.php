<?php

declare(strict_types=1);

/** INI settings. An invalid value is a warning at start and an exception on use, never a silent default. */
final class SettingsTest extends ChatPushTestCase
{
    /** @dataProvider invalidSettings */
    public function testInvalidSettingWarnsAtStartAndThrowsOnUse(string $name, string $value): void
    {
        $code = 'try { pushMessage(1, "x", "y"); echo "pushed"; }
            catch (ChatPush\Exception $e) { echo get_class($e), ": ", $e->getMessage(); }';
        $output = (new Script($code, [$name => $value]))->output;
        self::assertMatchesRegularExpression(
            '/^\s*Warning: chatpush: ' . preg_quote($name) . ' /m',
            $output,
            'a warning at start',
        );
        self::assertMatchesRegularExpression(
            '/ChatPush\\\\Exception: ' . preg_quote($name) . ' /',
            $output,
            'an error on first use',
        );
        self::assertStringNotContainsString('pushed', $output);
        self::assertStringNotContainsString('pa55', $output);
    }

    public static function invalidSettings(): iterable
    {
        yield ['chatpush.redis_url', 'http://localhost'];
        yield ['chatpush.redis_url', 'localhost:6379'];
        yield ['chatpush.redis_url', 'redis://:pa55@localhost/first'];
        yield ['chatpush.redis_url', ''];
        yield ['chatpush.redis_url', 'redis://:pa55%zz@localhost'];
        yield ['chatpush.redis_url', 'redis://:pa55%2@localhost'];
        yield ['chatpush.redis_url', 'redis://:pa55%FF@localhost'];
        yield ['chatpush.redis_url', 'unix:///redis.sock?database=1'];
        yield ['chatpush.redis_url', 'redis://localhost?db=3'];
        yield ['chatpush.redis_url', 'redis://chat@localhost'];
        yield ['chatpush.redis_url', 'redis://:pa55@w/rd#1@localhost'];
        yield ['chatpush.timeout_ms', '-1'];
        yield ['chatpush.timeout_ms', '0'];
        yield ['chatpush.timeout_ms', 'soon'];
        yield ['chatpush.timeout_ms', '0.0005'];
        yield ['chatpush.connect_timeout_ms', '0'];
        yield ['chatpush.connect_timeout_ms', '1e-4'];
        yield ['chatpush.redis_url', 'unix:///redis.sock?timeout=0'];
        yield ['chatpush.redis_url', 'redis://localhost?timeout=0'];
        yield ['chatpush.connect_timeout_ms', '-5'];
        yield ['chatpush.busy_poll_us', '-1'];
        yield ['chatpush.busy_poll_us', '10001'];
        yield ['chatpush.durability', 'perhaps'];
        yield ['chatpush.errors', 'silence'];
        yield ['chatpush.prefix', 'with space'];
    }

    public function testSettingsCanChangeAtRuntime(): void
    {
        self::unservedPrefix();
        self::assertFalse(pushMessage(1, 'x', 'y'));
        self::assertSame('committed', ini_set('chatpush.durability', 'queued'));
        self::assertTrue(storeOfflineMessage(1, 2, 'x'));
        ini_restore('chatpush.durability');
        self::assertSame('committed', ini_get('chatpush.durability'));
    }

    /**
     * The old value stays, with a warning that names the directive.
     *
     * @dataProvider invalidSettings
     */
    public function testInvalidSettingIsRefusedAtRuntime(string $name, string $value): void
    {
        $warnings = [];
        set_error_handler(function (int $level, string $text) use (&$warnings) {
            $warnings[] = [$level, $text];
            return true;
        });
        $before = ini_get($name);
        try {
            self::assertFalse(ini_set($name, $value));
            self::assertFalse(ini_set($name, "x\0y"));
        } finally {
            restore_error_handler();
        }
        self::assertSame($before, ini_get($name));
        self::assertCount(2, $warnings);
        foreach ($warnings as [$level, $text]) {
            self::assertSame(E_WARNING, $level);
            self::assertMatchesRegularExpression("/^chatpush: $name (.* )?must .*stays as it was$/", $text);
            self::assertStringNotContainsString('pa55', $text);
        }
    }

    /** An invalid value of the administrator is not hidden by `ini_restore()`. */
    public function testInvalidSettingOfTheConfigurationIsRestored(): void
    {
        $code = 'ini_set("chatpush.durability", "queued"); ini_restore("chatpush.durability");
            try { pushMessage(1, "x", "y"); }
            catch (ChatPush\Exception $e) { echo "thrown: ", $e->getMessage(); }';
        $output = (new Script($code, ['chatpush.durability' => 'perhaps']))->output;
        self::assertStringContainsString('thrown: chatpush.durability "perhaps" must', $output);
    }

    public function testSecretCannotChangeAtRuntime(): void
    {
        self::assertFalse(ini_set('chatpush.secret', str_repeat('x', 32)));
        self::assertFalse(ini_set('chatpush.global_functions', '0'));
    }

    public function testTokenNeedsASecret(): void
    {
        $thrown = self::expectThrown(ChatPush\Exception::class, fn () => ChatPush\connectToken(1));
        self::assertStringStartsWith('chatpush.secret is not set', $thrown->getMessage());
        $short = new Script('echo ChatPush\connectToken(1);', ['chatpush.secret' => 'short']);
        self::assertStringContainsString(
            'Warning: chatpush: chatpush.secret must have at least 32 bytes',
            $short->output,
        );
        self::assertStringContainsString(
            'Uncaught ChatPush\Exception: chatpush.secret must have at least 32 bytes',
            $short->output,
        );
    }

    public function testGlobalFunctionsCanBeDisabled(): void
    {
        $code = 'function pushMessage($x) { return "mine $x"; } function getUnreadCount() { return "mine"; }'
            . 'echo pushMessage("a"), " ", getUnreadCount(), " ";'
            . 'var_dump(ChatPush\pushMessage(1, "x", "y"));';
        $script = new Script($code, ['chatpush.global_functions' => '0']);
        self::assertSame("mine a mine bool(false)\n", $script->output);
        self::assertStringContainsString('Cannot redeclare', (new Script($code))->output);
    }

    /** @dataProvider switches */
    public function testSwitchesAreReadAsPhpReadsThem(string $value, bool $on): void
    {
        $settings = ['chatpush.global_functions' => $value];
        $script = new Script('var_dump(function_exists("pushMessage"));', $settings);
        self::assertSame($on ? "bool(true)\n" : "bool(false)\n", $script->output);
    }

    public static function switches(): iterable
    {
        foreach (['On', 'on', 'Yes', 'TRUE', '1', '2', ' 1'] as $value) {
            yield $value => [$value, true];
        }
        foreach (['Off', 'no', 'False', 'none', '0', ''] as $value) {
            yield $value => [$value, false];
        }
    }

    public function testErrorsCanBeWarnings(): void
    {
        $code = <<<'PHP'
            set_error_handler(function ($level, $text) {
                echo $level === E_WARNING ? "W " : "? ", $text, "\n";
                return true;
            });
            var_dump(
                pushMessage(1, "x", "y"), storeOfflineMessage(1, 2, "x"), getOfflineMessage(1),
                getUnreadCount(1), ChatPush\isOnline(1), ChatPush\ackOfflineMessage(1, [1]),
                ChatPush\clearUnreadCount(1)
            );
            PHP;
        $settings = ['chatpush.errors' => 'warning', 'chatpush.redis_url' => 'unix:///nowhere/redis.sock'];
        $output = (new Script($code, $settings))->output;
        self::assertSame(
            7,
            preg_match_all('/^W chatpush: Redis at \S+ cannot be reached/m', $output),
            $output,
        );
        self::assertStringEndsWith(
            "bool(false)\nbool(false)\narray(0) {\n}\nint(0)\nbool(false)\nint(0)\nNULL\n",
            $output,
        );
    }

    public function testErrorHandlerMayExit(): void
    {
        $code = 'set_error_handler(fn () => exit(7)); getOfflineMessage(1);';
        $settings = ['chatpush.errors' => 'warning', 'chatpush.redis_url' => 'unix:///nowhere/redis.sock'];
        self::assertSame(7, (new Script($code, $settings))->code);
    }
}
