<?php

// socket.io: what @socket.io/redis-emitter publishes for io.to("user:7").emit("text", $content), in
// MessagePack (https://socket.io/docs/v4/redis-adapter/#emitter).
declare(strict_types=1);

function redis(): Redis
{
    static $redis = null;
    if ($redis === null) {
        $redis = new Redis();
        $redis->connect(getenv('BENCH_REDIS_SOCKET'));
    }
    return $redis;
}

/** Encodes a string in MessagePack. */
function text(string $text): string
{
    $length = strlen($text);
    return match (true) {
        $length < 32 => chr(0xA0 | $length),
        $length < 256 => "\xD9" . chr($length),
        default => "\xDA" . pack('n', $length),
    } . $text;
}

function push(int $user, string $content): bool
{
    $room = "user:$user";
    // ["emitter", {type: 2, data: ["text", content], nsp: "/"}, {rooms: [room], except: [], flags: {}}]
    $message = "\x93" . text('emitter')
        . "\x83" . text('type') . "\x02" . text('data') . "\x92" . text('text') . text($content)
        . text('nsp') . text('/')
        . "\x83" . text('rooms') . "\x91" . text($room) . text('except') . "\x90" . text('flags') . "\x80";
    return redis()->publish("socket.io#/#$room#", $message) > 0;
}

function push_warmup(int $user): void
{
    redis()->ping();
}

/** What the emitter publishes for io.to(["user:7", "user:8", …]).emit("text", $content). */
function push_many(int $first, string $content): bool
{
    $rooms = array_map(fn (int $user) => text("user:$user"), receivers($first));
    $message = "\x93" . text('emitter')
        . "\x83" . text('type') . "\x02" . text('data') . "\x92" . text('text') . text($content)
        . text('nsp') . text('/')
        . "\x83" . text('rooms') . "\xDC" . pack('n', count($rooms)) . implode($rooms)
        . text('except') . "\x90" . text('flags') . "\x80";
    return redis()->publish('socket.io#/#', $message) > 0;
}
