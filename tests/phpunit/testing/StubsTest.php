<?php

declare(strict_types=1);

/** php/testing declares what the stubs of the extension declare, and nothing more. */
final class StubsTest extends PHPUnit\Framework\TestCase
{
    private const STUBS = __DIR__ . '/../../../php/stubs/chatpush.stub.php';
    private const TESTING = __DIR__ . '/../../../php/testing/chatpush.php';

    public function testDeclaresWhatTheStubsDeclare(): void
    {
        $stubs = self::declarations(self::STUBS);
        self::assertArrayHasKey('ChatPush\sendMessage()', $stubs);
        self::assertArrayHasKey('pushMessage()', $stubs);
        self::assertArrayHasKey('ChatPush\TimeoutException', $stubs);
        self::assertEquals($stubs, self::declarations(self::TESTING));
    }

    public function testLeavesFunctionsOfTheApplicationAlone(): void
    {
        $own = 'function pushMessage(): string { return "own"; }';
        $code = "$own require \$argv[1]; echo pushMessage(), getUnreadCount(1);";
        self::assertSame('own0', self::php('-n', '-r', $code, self::TESTING));
    }

    public function testReadsTheSettingForErrors(): void
    {
        $code = 'require $argv[1]; ChatPush\Testing\Server::fail(); var_dump(@pushMessage(1, "x", "y"));';
        $output = self::php('-n', '-d', 'chatpush.errors=warning', '-r', $code, self::TESTING);
        self::assertSame("bool(false)\n", $output);
    }

    /** What a file declares, by name, as a new process sees it. */
    private static function declarations(string $file): array
    {
        $output = self::php('-n', __DIR__ . '/declarations.php', $file);
        return json_decode($output, true, 512, JSON_THROW_ON_ERROR);
    }

    private static function php(string ...$arguments): string
    {
        $process = proc_open([PHP_BINARY, ...$arguments], [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
        $output = stream_get_contents($pipes[1]);
        self::assertSame(0, proc_close($process), $output);
        return $output;
    }
}
