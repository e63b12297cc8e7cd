<?php

declare(strict_types=1);

/** In the place of a Redis: PHP code in a process of its own. It prints the address at which it listens. */
abstract class PhpServer
{
    private readonly string $address;
    /** @var resource */
    private $process;

    protected function __construct(string $code, string ...$arguments)
    {
        $command = [PHP_BINARY, '-n', '-r', $code, '--', ...$arguments];
        $this->process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w']], $pipes);
        $this->address = trim((string) fgets($pipes[1]));
    }

    public function url(): string
    {
        return "redis://$this->address";
    }

    public function __destruct()
    {
        proc_terminate($this->process, 9);
        proc_close($this->process);
    }
}
