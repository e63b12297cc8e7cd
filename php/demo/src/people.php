<?php

declare(strict_types=1);

/** Whether a user exists. */
function is_user(int $user_id): bool
{
    return query('SELECT 1 FROM `user` WHERE `id` = ?', [$user_id]) !== [];
}

/**
 * The other users with the last message of the conversation, `seen` (the row up to which the user has read
 * it) and `unseen` (how many messages of the other came after that).
 */
function other_people(int $user_id): array
{
    $people = query(
        'SELECT u.`id`, u.`username`, COALESCE(s.`message`, 0) AS `seen`,
            (SELECT MAX(m.`id`) FROM `message` m
                WHERE m.`low_id` = LEAST(u.`id`, me.`id`)
                AND m.`high_id` = GREATEST(u.`id`, me.`id`)) AS `last`,
            (SELECT COUNT(*) FROM `message` m
                WHERE m.`low_id` = LEAST(u.`id`, me.`id`)
                AND m.`high_id` = GREATEST(u.`id`, me.`id`)
                AND m.`id` > COALESCE(s.`message`, 0) AND m.`sender_id` = u.`id`) AS `unseen`
        FROM (SELECT CAST(? AS SIGNED) AS `id`) me
        JOIN `user` u ON u.`id` <> me.`id`
        LEFT JOIN `seen` s ON s.`user_id` = me.`id` AND s.`person_id` = u.`id`
        ORDER BY u.`username` LIMIT 200',
        [$user_id],
    );
    $last = messages_by_row(array_filter(array_column($people, 'last')));
    return array_map(fn (array $person) => ['last' => $last[$person['last']] ?? null] + $person, $people);
}

/** The messages of these rows, by row. */
function messages_by_row(array $rows): array
{
    if ($rows === []) {
        return [];
    }
    $marks = implode(', ', array_fill(0, count($rows), '?'));
    $select = 'SELECT ' . MESSAGE_FIELDS . " FROM `message` WHERE `message`.`id` IN ($marks)";
    return array_column(query($select, array_values($rows)), null, 'row');
}

/** Whether each of these users is connected. Null for all of them while that cannot be found out. */
function presence(array $user_ids): array
{
    try {
        return array_combine($user_ids, array_map(ChatPush\isOnline(...), $user_ids));
    } catch (ChatPush\Exception $problem) {
        error_log($problem->getMessage());
        return array_fill_keys($user_ids, null);
    }
}
