<?php

declare(strict_types=1);

/** A minimal Redis client (RESP2), independent of the extension. */
final class RedisConnection
{
    /** @var resource */
    private $stream;

    public function __construct(string $address)
    {
        $stream = stream_socket_client($address, $code, $why, 5);
        $this->stream = $stream ?: throw new RuntimeException("Redis at $address: $why");
        stream_set_timeout($this->stream, 60);
    }

    /** Executes one command. */
    public function call(string|int ...$parts): mixed
    {
        $this->send(...$parts);
        return $this->receive();
    }

    public function send(string|int ...$parts): void
    {
        $command = '*' . count($parts) . "\r\n";
        foreach ($parts as $part) {
            $command .= '$' . strlen((string) $part) . "\r\n$part\r\n";
        }
        fwrite($this->stream, $command);
    }

    /** Reads the next reply or published message. */
    public function receive(): mixed
    {
        $line = fgets($this->stream);
        if ($line === false) {
            throw new RuntimeException('Redis does not answer');
        }
        $rest = substr($line, 1, -2);
        return match ($line[0]) {
            '+' => $rest,
            ':' => (int) $rest,
            '-' => throw new RuntimeException("Redis: $rest"),
            '$' => $rest === '-1' ? null : substr(stream_get_contents($this->stream, (int) $rest + 2), 0, -2),
            '*' => $rest === '-1' ? null : $this->receiveAll((int) $rest),
        };
    }

    private function receiveAll(int $count): array
    {
        $answers = [];
        while (count($answers) < $count) {
            $answers[] = $this->receive();
        }
        return $answers;
    }

    /** Subscribes to a sharded channel. */
    public function subscribe(string $channel): void
    {
        $answer = $this->call('SSUBSCRIBE', $channel);
        assert($answer[0] === 'ssubscribe');
    }

    /** The next message on a subscribed channel. */
    public function message(): string
    {
        return $this->receive()[2];
    }

    /** The ids of the extension's connections to this server. */
    public function connectionsOfExtension(): array
    {
        $clients = explode("\n", trim($this->call('CLIENT', 'LIST')));
        $ids = [];
        foreach ($clients as $client) {
            if (preg_match('/^id=(\d+) .*\bname=chatpush-php\b/', $client, $found) === 1) {
                $ids[] = (int) $found[1];
            }
        }
        return $ids;
    }
}
