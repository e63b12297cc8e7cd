<?php

declare(strict_types=1);

/** Forwards one connection to Redis, until so many bytes came from the client. Then it ends, and the port is closed. */
final class CuttingProxy extends PhpServer
{
    private const CODE = <<<'PHP'
        [, $socket, $left] = $argv;
        $server = stream_socket_server('tcp://127.0.0.1:0');
        echo stream_socket_get_name($server, false), "\n";
        $client = stream_socket_accept($server, 3600);
        $redis = stream_socket_client("unix://$socket");
        while ($left > 0) {
            [$ready, $none] = [[$client, $redis], null];
            stream_select($ready, $none, $none, 3600);
            foreach ($ready as $from) {
                $bytes = fread($from, 65536);
                if ($bytes === '' || $bytes === false) {
                    exit;
                }
                if ($from === $client) {
                    $bytes = substr($bytes, 0, $left);
                    $left -= strlen($bytes);
                }
                fwrite($from === $client ? $redis : $client, $bytes);
            }
        }
        // Redis has read everything before it is closed, and its answers are lost.
        stream_socket_shutdown($redis, STREAM_SHUT_WR);
        stream_get_contents($redis);
        PHP;

    public function __construct(string $socket, int $bytes)
    {
        parent::__construct(self::CODE, $socket, (string) $bytes);
    }
}
