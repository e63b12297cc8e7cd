<?php
// Sends one message to the first of the users, as often as told: stored without an id, or with one. Or takes the one
// back that the worker of this name has sent, clears what the user has unread, or counts it.
declare(strict_types=1);

require __DIR__ . '/calls.php';

['operation' => $operation, 'suffix' => $suffix, 'tries' => $tries] = $config;
$key = "$name-s-1$suffix";
for (; $tries > 0; $tries--) {
    match ($operation) {
        'store' => attempt(
            $key,
            'store',
            $config['receiver'],
            fn () => storeOfflineMessage($sender, $ids[1], $key),
        ),
        'send' => attempt(
            $key,
            'send',
            $config['receiver'],
            fn () => ChatPush\sendMessage($sender, $ids[1], $key, $key, $key),
        ),
        'recall' => report(
            "R>\t$key\t$config[receiver]",
            "R<\t$key\t$config[receiver]",
            fn () => ChatPush\recallMessage($sender, $ids[1], $key),
            fn (bool $taken) => $taken ? 'true' : 'false',
        ),
        'clear' => report(
            "C>\t$config[receiver]\t",
            "C<\t$config[receiver]\t",
            fn () => ChatPush\clearUnreadCount($ids[1]),
            fn () => 'ok',
        ),
        'unread' => report('U>', 'U<', fn () => getUnreadCount($ids[1]), fn (int $count) => (string) $count),
    };
}
