<?php

// chatpush: the extension.
declare(strict_types=1);

function push(int $user, string $content): bool
{
    return pushMessage($user, $content, 'text');
}

function push_warmup(int $user): void
{
    ChatPush\isOnline($user);
}

function store(int $user, string $content): bool
{
    return storeOfflineMessage(1, $user, $content);
}

function count_unread(int $user): int
{
    return getUnreadCount($user);
}

function fetch(int $user): array
{
    return getOfflineMessage($user);
}

function push_many(int $first, string $content): bool
{
    return count(ChatPush\pushToUsers(receivers($first), $content, 'text')) === count(receivers($first));
}

function send_many(int $first, string $content): bool
{
    return count(ChatPush\sendToUsers(1, receivers($first), $content)) === count(receivers($first));
}

function send_each(int $first, string $content): bool
{
    foreach (receivers($first) as $user) {
        ChatPush\sendMessage(1, $user, $content);
    }
    return true;
}

function due(int $user, string $content): bool
{
    return is_array(ChatPush\getDueNotifications());
}
