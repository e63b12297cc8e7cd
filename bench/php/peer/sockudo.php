<?php

// Sockudo: Pusher's HTTP API (https://pusher.com/docs/channels/library_auth_reference/rest-api/), signed.
declare(strict_types=1);

require __DIR__ . '/../http.php';

function push(int $user, string $content): bool
{
    $body = json_encode(['name' => 'text', 'channels' => ["user-$user"], 'data' => $content]);
    $path = '/apps/bench/events';
    $query = 'auth_key=bench&auth_timestamp=' . time() . '&auth_version=1.0&body_md5=' . md5($body);
    $signature = hash_hmac('sha256', "POST\n$path\n$query", getenv('BENCH_KEY'));
    $target = "$path?$query&auth_signature=$signature";
    return post($target, "Content-Type: application/json\r\n", $body)[0] === 200;
}

function push_warmup(int $user): void
{
    push($user, 'warm');
}
