<?php

declare(strict_types=1);

/** A server that answers every command with the same bytes, which no Redis can be made to send. */
final class AnsweringServer
{
    private const CODE = <<<'PHP'
        $server = stream_socket_server('tcp://127.0.0.1:0');
        echo stream_socket_get_name($server, false), "\n";
        while ($client = stream_socket_accept($server, 3600)) {
            while (($sent = fread($client, 65536)) !== '' && $sent !== false) {
                fwrite($client, str_repeat(base64_decode($argv[1]), substr_count($sent, "*")));
            }
        }
        PHP;

    private readonly string $address;
    /** @var resource */
    private $process;

    public function __construct(string $answer)
    {
        $command = [PHP_BINARY, '-n', '-r', self::CODE, '--', base64_encode($answer)];
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
