<?php

declare(strict_types=1);

/** A server that answers every command with the same bytes, which no Redis can be made to send. */
final class AnsweringServer extends PhpServer
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

    public function __construct(string $answer)
    {
        parent::__construct(self::CODE, base64_encode($answer));
    }
}
