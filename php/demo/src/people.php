<?php

declare(strict_types=1);

/** Whether a user exists. */
function is_user(int $user_id): bool
{
    return query('SELECT 1 FROM `user` WHERE `id` = ?', [$user_id]) !== [];
}

/** The other users: `id`, `username`, and the last message of the conversation. */
function other_people(int $user_id): array
{
    $people = query(
        'SELECT `id`, `username` FROM `user` WHERE `id` <> ? ORDER BY `username` LIMIT 200',
        [$user_id],
    );
    $thread = fn (array $person) => thread_of($user_id, $person['id']);
    $last = last_messages(array_map($thread, $people));
    return array_map(fn (array $person) => $person + ['last' => $last[$thread($person)] ?? null], $people);
}

/** Whether each of these users is connected. Null for all of them while that cannot be found out. */
function presence(array $user_ids): array
{
    try {
        $online = ChatPush\getOnlineUsers($user_ids);
        return array_replace(array_fill_keys($user_ids, false), array_fill_keys($online, true));
    } catch (ChatPush\Exception $problem) {
        error_log($problem->getMessage());
        return array_fill_keys($user_ids, null);
    }
}
