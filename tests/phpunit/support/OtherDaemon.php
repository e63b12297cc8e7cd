<?php

declare(strict_types=1);

/** A daemon with settings of its own beside that of the stack, with a prefix and a database of its own. */
final class OtherDaemon
{
    public readonly string $prefix;
    public readonly string $webSocketUrl;
    private readonly string $admin;
    /** @var resource */
    private $process;
    private ?PDO $database = null;

    /** @var array<string, self> those that run, by their settings */
    private static array $running = [];

    /** The daemon with these settings. It runs until the tests end. */
    public static function with(Setting ...$settings): self
    {
        $key = implode(' ', array_map(fn (Setting $setting) => $setting->name, $settings));
        return self::$running[$key] ??= new self($settings);
    }

    /** @param list<Setting> $settings */
    private function __construct(array $settings)
    {
        $this->prefix = 'other' . bin2hex(random_bytes(4));
        $listen = '127.0.0.1:' . RedisServer::freePort();
        $this->admin = '127.0.0.1:' . RedisServer::freePort();
        $this->webSocketUrl = "ws://$listen/ws";
        $environment = array_merge(...array_map(fn (Setting $setting) => $setting->environment(), $settings));
        $environment += [
            'CHATPUSH_CONFIG' => '/dev/null',
            'CHATPUSH_REDIS_URL' => Stack::redisUrl(),
            'CHATPUSH_MYSQL_URL' => Stack::createDatabase($this->prefix),
            'CHATPUSH_PREFIX' => $this->prefix,
            'CHATPUSH_SECRET' => Stack::secret(),
            'CHATPUSH_LISTEN' => $listen,
            'CHATPUSH_ADMIN_LISTEN' => $this->admin,
        ];
        $own = fn (string $name) => !str_starts_with($name, 'CHATPUSH_');
        $environment += array_filter(getenv(), $own, ARRAY_FILTER_USE_KEY);
        $folder = getenv('CHATPUSH_TEST_FOLDER');
        $start = function (string $command) use ($environment, $folder) {
            $log = ['file', "$folder/$this->prefix.log", 'a'];
            $command = [getenv('CHATPUSH_DAEMON'), $command];
            return proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes, $folder, $environment);
        };
        if (proc_close($start('migrate')) !== 0) {
            throw new RuntimeException(file_get_contents("$folder/$this->prefix.log"));
        }
        $this->process = $start('run');
        register_shutdown_function($this->kill(...));
        $ready = fn () => @file_get_contents("http://$this->admin/ready") !== false;
        eventually('the daemon is ready', $ready);
    }

    public function database(): PDO
    {
        return $this->database ??= Stack::connectTo($this->prefix);
    }

    /** Lets it stand still: it takes nothing and answers nothing. */
    public function pause(): void
    {
        posix_kill(proc_get_status($this->process)['pid'], SIGSTOP);
    }

    public function goOn(): void
    {
        posix_kill(proc_get_status($this->process)['pid'], SIGCONT);
    }

    private function kill(): void
    {
        proc_terminate($this->process, SIGKILL);
        proc_close($this->process);
    }
}
