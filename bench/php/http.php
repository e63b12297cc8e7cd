<?php
// POST over a connection that is held, with less around it than the curl extension has.
declare(strict_types=1);

/** Posts to BENCH_ADDRESS and returns the status and the body. Connects again only if the server has closed. */
function post(string $path, string $headers, string $body): array
{
    static $connection = null;
    for ($attempt = 0; $attempt < 2; $attempt++) {
        if ($connection === null) {
            $address = getenv('BENCH_ADDRESS');
            $connection = stream_socket_client("tcp://$address", $code, $why, 5, STREAM_CLIENT_CONNECT, stream_context_create(['socket' => ['tcp_nodelay' => true]]));
            stream_set_timeout($connection, 10);
        }
        $request = "POST $path HTTP/1.1\r\nHost: localhost\r\nContent-Length: " . strlen($body) . "\r\n$headers\r\n$body";
        $line = @fwrite($connection, $request) === strlen($request) ? fgets($connection) : false;
        if ($line === false) {
            // A server may close what it kept alive, in the moment when it is used again.
            fclose($connection);
            $connection = null;
            continue;
        }
        $length = 0;
        $closes = false;
        while (($header = fgets($connection)) !== "\r\n" && $header !== false) {
            if (stripos($header, 'content-length:') === 0) {
                $length = (int) substr($header, 15);
            } elseif (stripos($header, 'connection: close') === 0) {
                $closes = true;
            }
        }
        $answer = '';
        while ($length > strlen($answer) && ($part = fread($connection, $length - strlen($answer))) !== false && $part !== '') {
            $answer .= $part;
        }
        if ($closes) {
            fclose($connection);
            $connection = null;
        }
        return [(int) substr($line, 9, 3), $answer];
    }
    return [0, ''];
}
