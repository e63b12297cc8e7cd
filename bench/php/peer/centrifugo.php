<?php

// Centrifugo: its HTTP API, to the user's personal channel.
declare(strict_types=1);

require __DIR__ . '/../http.php';

function push(int $user, string $content): bool
{
    $body = json_encode(['channel' => "#$user", 'data' => ['type' => 'text', 'data' => $content]]);
    $headers = 'X-API-Key: ' . getenv('BENCH_KEY') . "\r\nContent-Type: application/json\r\n";
    [$status, $answer] = post('/api/publish', $headers, $body);
    return $status === 200 && !str_contains($answer, '"error"');
}

function push_warmup(int $user): void
{
    post('/health', '', '');
}

function push_many(int $first, string $content): bool
{
    $channels = array_map(fn (int $user) => "#$user", receivers($first));
    $body = json_encode(['channels' => $channels, 'data' => ['type' => 'text', 'data' => $content]]);
    $headers = 'X-API-Key: ' . getenv('BENCH_KEY') . "\r\nContent-Type: application/json\r\n";
    [$status, $answer] = post('/api/broadcast', $headers, $body);
    return $status === 200 && !str_contains($answer, '"error"');
}
