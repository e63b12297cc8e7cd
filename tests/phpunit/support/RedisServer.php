<?php

declare(strict_types=1);

/** A private Redis with its own settings. */
final class RedisServer
{
    public readonly string $folder;
    public readonly string $socket;
    /** @var resource */
    private $process;

    /** @param array<string, string> $settings in addition to the socket */
    public function __construct(array $settings = [])
    {
        $this->folder = sys_get_temp_dir() . '/chatpush-redis-' . bin2hex(random_bytes(4));
        mkdir($this->folder);
        $this->socket = "$this->folder/redis.sock";
        $command = ['redis-server', '--unixsocket', $this->socket, '--save', '', '--dir', $this->folder];
        foreach ($settings + ['port' => '0'] as $name => $value) {
            array_push($command, "--$name", ...explode(' ', $value));
        }
        $log = ['file', "$this->folder/log", 'a'];
        $this->process = proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes);
        eventually('Redis listens', fn () => @stream_socket_client("unix://$this->socket") !== false);
        $this->addInstallation(Stack::prefix());
    }

    /** Writes the installation record into some databases, as daemons do that have served them. */
    public function addInstallation(string $prefix): void
    {
        $record = Stack::redis()->call('GET', Stack::prefix() . ':installation');
        $redis = new RedisConnection($this->url());
        try {
            foreach (range(0, 5) as $database) {
                $redis->call('SELECT', $database);
                $redis->call('SET', "$prefix:installation", $record);
            }
        } catch (RuntimeException) {
            // It loads data, which hold the record.
        }
    }

    public function url(): string
    {
        return "unix://$this->socket";
    }

    /** Runs the call while the server hangs: it accepts bytes and answers nothing. */
    public function whileItHangs(callable $call): mixed
    {
        $process = proc_get_status($this->process)['pid'];
        posix_kill($process, SIGSTOP);
        try {
            return $call();
        } finally {
            posix_kill($process, SIGCONT);
        }
    }

    public function stop(): void
    {
        if (is_resource($this->process)) {
            proc_terminate($this->process, 9);
            proc_close($this->process);
            array_map('unlink', array_filter(glob("$this->folder/*"), 'is_file'));
            @unlink($this->socket);
            @rmdir($this->folder);
        }
    }

    public function __destruct()
    {
        $this->stop();
    }

    /** A TCP port that is free now. */
    public static function freePort(): int
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        return (int) explode(':', stream_socket_get_name($server, false))[1];
    }
}
