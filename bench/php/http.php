<?php

// HTTP POST over a kept-alive connection, with less overhead than the curl extension.
declare(strict_types=1);

/** Posts to BENCH_ADDRESS and returns status and body. Reconnects if the server has closed the connection. */
function post(string $path, string $headers, string $body): array
{
    static $connection = null;
    for ($attempt = 0; $attempt < 2; $attempt++) {
        if ($connection === null) {
            $address = getenv('BENCH_ADDRESS');
            $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
            $connection = stream_socket_client(
                "tcp://$address",
                $code,
                $message,
                5,
                STREAM_CLIENT_CONNECT,
                $context,
            );
            stream_set_timeout($connection, 10);
        }
        $length = strlen($body);
        $request = "POST $path HTTP/1.1\r\nHost: localhost\r\nContent-Length: $length\r\n$headers\r\n$body";
        $line = @fwrite($connection, $request) === strlen($request) ? fgets($connection) : false;
        if ($line === false) {
            // The server may close a kept-alive connection just when it is used again.
            fclose($connection);
            $connection = null;
            continue;
        }
        $length = 0;
        $closes = $isChunked = false;
        while (($header = fgets($connection)) !== "\r\n" && $header !== false) {
            if (stripos($header, 'content-length:') === 0) {
                $length = (int) substr($header, 15);
            } elseif (stripos($header, 'transfer-encoding: chunked') === 0) {
                $isChunked = true;
            } elseif (stripos($header, 'connection: close') === 0) {
                $closes = true;
            }
        }
        $answer = $isChunked ? read_chunks($connection) : read_bytes($connection, $length);
        if ($closes) {
            fclose($connection);
            $connection = null;
        }
        return [(int) substr($line, 9, 3), $answer];
    }
    return [0, ''];
}

/** A body of so many bytes, or what there is of it. */
function read_bytes($connection, int $length): string
{
    $answer = '';
    while (($missing = $length - strlen($answer)) > 0) {
        $part = fread($connection, $missing);
        if ($part === false || $part === '') {
            break;
        }
        $answer .= $part;
    }
    return $answer;
}

/** A body in chunks (RFC 9112, section 7.1), without trailers. */
function read_chunks($connection): string
{
    $answer = '';
    do {
        $length = hexdec(trim((string) strtok((string) fgets($connection), ';')));
        $answer .= substr(read_bytes($connection, $length + 2), 0, -2);
    } while ($length > 0);
    return $answer;
}
