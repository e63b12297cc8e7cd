<?php

declare(strict_types=1);

namespace Example;

use ChatPush;
use ChatPush\ConnectionException;
use ChatPush\TimeoutException;
use ChatPush\UnavailableException;
use RuntimeException;
use ValueError;

/**
 * Takes messages from local programs over a socket and sends them, one JSON object a line:
 *
 *     {"id":"order-7","from":1,"to":2,"text":"Your order is ready."}
 *
 * and answers each by a line with its id: `{"id":"order-7","result":"live"}` (or `stored`), or
 * `{"id":"order-7","error":"…"}`. An answer means that the message is committed in MySQL, or was refused for
 * good.
 */
final class Worker
{
    /** Jobs that may wait. While there are as many, nothing is read from the programs, so they wait too. */
    private const MOST_JOBS = 1000;

    /** Longest line of a program, in bytes. */
    private const MOST_BYTES = 131_072;

    /** Seconds between two tries. For a second after a failed connection, calls fail without trying. */
    private const PAUSE = 1.0;

    /** @var resource */
    private $server;

    /** @var array<int, resource> the programs' connections */
    private array $clients = [];

    /** @var array<int, string> what was read of a line that is not complete */
    private array $buffers = [];

    /** @var list<array{int, mixed}> jobs that wait, each with the connection that it came from */
    private array $jobs = [];

    /** When the next try may be made. */
    private float $next = 0.0;

    private bool $running = true;

    public function __construct(string $address)
    {
        $server = stream_socket_server($address, $code, $why);
        $this->server = $server ?: throw new RuntimeException("$address: $why");
        stream_set_blocking($this->server, false);
    }

    /** Ends the loop after the job at hand. */
    public function stop(): void
    {
        $this->running = false;
    }

    public function run(): void
    {
        while ($this->running) {
            $this->waitForInput();
            $this->work();
        }
    }

    /** Reads what the programs have written, for at most a second, so that a signal is noticed. */
    private function waitForInput(): void
    {
        $reading = count($this->jobs) < self::MOST_JOBS ? [$this->server, ...$this->clients] : [];
        $pause = $this->jobs === [] ? 1.0 : max(0.0, $this->next - microtime(true));
        if ($reading === []) {
            usleep((int) ($pause * 1_000_000));
            return;
        }
        $writing = $except = null;
        // A signal ends the wait, with a warning.
        if (@stream_select($reading, $writing, $except, 0, (int) ($pause * 1_000_000)) > 0) {
            foreach ($reading as $stream) {
                $stream === $this->server ? $this->accept() : $this->read($stream);
            }
        }
    }

    private function accept(): void
    {
        $client = @stream_socket_accept($this->server, 0);
        if ($client !== false) {
            stream_set_blocking($client, false);
            $this->clients[(int) $client] = $client;
            $this->buffers[(int) $client] = '';
        }
    }

    /** @param resource $client */
    private function read($client): void
    {
        $key = (int) $client;
        $bytes = fread($client, 65_536);
        if ($bytes === false || $bytes === '' || strlen($this->buffers[$key]) > self::MOST_BYTES) {
            fclose($client);
            unset($this->clients[$key], $this->buffers[$key]);
            return;
        }
        $lines = explode("\n", $this->buffers[$key] . $bytes);
        $this->buffers[$key] = array_pop($lines);
        foreach ($lines as $line) {
            $this->jobs[] = [$key, json_decode($line, true)];
        }
    }

    /** Does the jobs in their order, until one has to be tried again later. */
    private function work(): void
    {
        if (microtime(true) < $this->next) {
            return;
        }
        while ($this->running && $this->jobs !== []) {
            [$client, $job] = $this->jobs[0];
            $answer = $this->send($job);
            if ($answer === null) {
                $this->next = microtime(true) + self::PAUSE;
                return;
            }
            array_shift($this->jobs);
            $this->answer($client, ['id' => $job['id'] ?? null] + $answer);
        }
    }

    /**
     * Sends one message. Waits for at most chatpush.timeout_ms, and the loop with it.
     *
     * @return array<string, string>|null what to answer; null: try again later
     */
    private function send(mixed $job): ?array
    {
        if (
            !is_int($job['from'] ?? null) || !is_int($job['to'] ?? null)
            || !is_string($job['text'] ?? null) || !is_string($job['id'] ?? null)
        ) {
            return ['error' => 'wanted: a JSON object with id and text as texts, from and to as numbers'];
        }
        try {
            $delivery = ChatPush\sendMessage($job['from'], $job['to'], $job['text'], 'text', $job['id']);
            return ['result' => $delivery->value];
        } catch (ConnectionException | UnavailableException | TimeoutException $problem) {
            // Under the same id it is the same message, whether it was queued or not.
            fwrite(STDERR, "{$job['id']} waits: {$problem->getMessage()}\n");
            return null;
        } catch (ValueError | ChatPush\Exception $refusal) {
            // Another try would end the same way.
            return ['error' => $refusal->getMessage()];
        }
    }

    /** @param array<string, mixed> $answer */
    private function answer(int $client, array $answer): void
    {
        if (isset($this->clients[$client])) {
            // A program that has left gets no answer; its message is sent all the same.
            @fwrite($this->clients[$client], json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
        }
    }
}
