<?php

declare(strict_types=1);

/** The test that docs/testing.md shows, run as a reader would. */
final class DocumentationTest extends PHPUnit\Framework\TestCase
{
    public function testExampleRuns(): void
    {
        $page = file_get_contents(__DIR__ . '/../../../docs/testing.md');
        self::assertSame(1, preg_match('/^```php\n(use .*?)^```$/ms', $page, $found));
        self::assertSame(1, preg_match('/^```php\n(function send_message.*?)^```$/ms', $page, $application));
        $folder = sys_get_temp_dir() . '/chatpush-' . bin2hex(random_bytes(4));
        mkdir($folder);
        $file = "$folder/SendTest.php";
        file_put_contents($file, "<?php\n$found[1]\n$application[1]");
        $bootstrap = __DIR__ . '/../../../php/testing/chatpush.php';
        $command = [PHP_BINARY, $_SERVER['argv'][0], '--no-configuration', '--bootstrap', $bootstrap, $file];
        try {
            $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
            $output = stream_get_contents($pipes[1]);
            self::assertSame(0, proc_close($process), $output);
            self::assertStringContainsString('OK (3 tests, 4 assertions)', $output);
        } finally {
            unlink($file);
            rmdir($folder);
        }
    }
}
