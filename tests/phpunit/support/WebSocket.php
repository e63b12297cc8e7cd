<?php

declare(strict_types=1);

/** A minimal WebSocket client (RFC 6455). It answers pings while it reads. */
final class WebSocket
{
    /** @var resource */
    private $stream;
    /** The status line of the handshake. */
    public readonly string $status;
    /** The body of a rejected handshake. */
    public readonly string $body;

    /** @param string|null $url null: that of the stack's daemon */
    public function __construct(string $token, ?string $protocol = null, ?string $url = null)
    {
        $url = parse_url($url ?? Stack::webSocketUrl());
        $this->stream = stream_socket_client("tcp://{$url['host']}:{$url['port']}", $code, $why, 5)
            ?: throw new RuntimeException($why);
        stream_set_timeout($this->stream, 60);
        fwrite($this->stream, "GET {$url['path']}?token=$token HTTP/1.1\r\n"
            . "Host: {$url['host']}:{$url['port']}\r\n"
            . "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            . ($protocol === null ? '' : "Sec-WebSocket-Protocol: $protocol\r\n")
            . 'Sec-WebSocket-Key: ' . base64_encode(random_bytes(16)) . "\r\n\r\n");
        $this->status = trim((string) fgets($this->stream));
        $length = 0;
        while (($line = trim((string) fgets($this->stream))) !== '') {
            if (stripos($line, 'content-length:') === 0) {
                $length = (int) substr($line, 15);
            }
        }
        $this->body = $length > 0 ? stream_get_contents($this->stream, $length) : '';
    }

    /** Reads the next text frame as JSON. */
    public function message(): array
    {
        while (true) {
            [$opcode, $payload] = $this->frame();
            if ($opcode === 0x1) {
                return json_decode($payload, true, 512, JSON_THROW_ON_ERROR);
            }
            if ($opcode === 0x9) {
                $this->send(0xA, $payload);
            } elseif ($opcode === 0x8) {
                throw new RuntimeException('closed with ' . unpack('n', $payload)[1]);
            }
        }
    }

    /** Reads up to the next unread counter. Returns the messages before it, and the counter. */
    public function untilUnreadCount(): array
    {
        $messages = [];
        while (($message = $this->message())['type'] !== 'unread_count') {
            $messages[] = $message;
        }
        return [$messages, $message['data']];
    }

    /** Sends a text frame of less than 65,536 bytes. */
    public function text(string $text): void
    {
        $this->send(0x1, $text);
    }

    public function close(): void
    {
        $this->send(0x8, pack('n', 1000));
        fclose($this->stream);
    }

    /** Reads one frame: its opcode and its payload (RFC 6455 section 5.2). */
    private function frame(): array
    {
        [$first, $second] = array_values(unpack('C2', $this->read(2)));
        $length = match ($second & 0x7F) {
            126 => unpack('n', $this->read(2))[1],
            127 => unpack('J', $this->read(8))[1],
            default => $second & 0x7F,
        };
        return [$first & 0x0F, $length === 0 ? '' : $this->read($length)];
    }

    /** Sends one frame. A client masks its frames (section 5.3). */
    private function send(int $opcode, string $payload): void
    {
        $mask = random_bytes(4);
        $masked = $payload ^ str_pad('', strlen($payload), $mask);
        $length = strlen($payload) < 126
            ? pack('C', 0x80 | strlen($payload))
            : pack('Cn', 0x80 | 126, strlen($payload));
        fwrite($this->stream, pack('C', 0x80 | $opcode) . $length . $mask . $masked);
    }

    private function read(int $bytes): string
    {
        $read = stream_get_contents($this->stream, $bytes);
        return strlen($read) === $bytes ? $read : throw new RuntimeException('no frame was received');
    }
}
