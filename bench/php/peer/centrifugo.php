<?php
// Centrifugo: its HTTP API, to the user's personal channel.
declare(strict_types=1);

require __DIR__ . '/../http.php';

function push(int $user, string $content): bool
{
    $body = json_encode(['channel' => "#$user", 'data' => ['type' => 'text', 'data' => $content]]);
    [$status, $answer] = post('/api/publish', "X-API-Key: " . getenv('BENCH_KEY') . "\r\nContent-Type: application/json\r\n", $body);
    return $status === 200 && !str_contains($answer, '"error"');
}

function push_warm(int $user): void
{
    post('/health', '', '');
}
