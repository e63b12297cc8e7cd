<?php

declare(strict_types=1);

/** Runs PHP in a new process, with its own settings. */
final class Script
{
    public readonly string $output;
    public readonly int $code;

    /** @param array<string, string> $settings INI settings beside the address of Redis */
    public function __construct(string $source, array $settings = [], string ...$arguments)
    {
        $settings += [
            'extension' => getenv('CHATPUSH_EXTENSION'),
            'chatpush.redis_url' => Stack::redisUrl(),
            'chatpush.prefix' => 'nobody',
            'display_errors' => '1',
            'display_startup_errors' => '1',
            'html_errors' => '0',
            'log_errors' => '0',
        ];
        $command = [PHP_BINARY];
        foreach ($settings as $name => $value) {
            array_push($command, '-d', "$name=\"$value\"");
        }
        if ($source === '') {
            array_push($command, ...$arguments);
        } else {
            array_push($command, '-r', $source, '--', ...$arguments);
        }
        $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes);
        $this->output = stream_get_contents($pipes[1]);
        $this->code = proc_close($process);
    }
}
