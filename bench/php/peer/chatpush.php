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
