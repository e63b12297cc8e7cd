<?php

/** Groups of users. */

declare(strict_types=1);

/** The most members of a group. */
const GROUP_SIZE = 50;

/** Creates a group and returns its id. */
function create_group(string $name, array $member_ids): int
{
    database()->beginTransaction();
    query('INSERT INTO `chat_group` (`name`) VALUES (?)', [$name]);
    $group_id = (int) database()->lastInsertId();
    $rows = implode(', ', array_fill(0, count($member_ids), "($group_id, ?)"));
    query("INSERT INTO `chat_group_member` (`group_id`, `user_id`) VALUES $rows", $member_ids);
    database()->commit();
    return $group_id;
}

/** The ids of a group's members. */
function members(int $group_id): array
{
    $rows = query('SELECT `user_id` FROM `chat_group_member` WHERE `group_id` = ?', [$group_id]);
    return array_column($rows, 'user_id');
}

/** The user's groups: `id`, `name`, the `members` with `id` and `username`, and the last message. */
function groups_of(int $user_id): array
{
    $rows = query(
        'SELECT g.`id`, g.`name`, u.`id` AS `user_id`, u.`username`
        FROM `chat_group_member` mine
        JOIN `chat_group` g ON g.`id` = mine.`group_id`
        JOIN `chat_group_member` m ON m.`group_id` = g.`id`
        JOIN `user` u ON u.`id` = m.`user_id`
        WHERE mine.`user_id` = ? ORDER BY g.`id`, u.`username`',
        [$user_id],
    );
    $groups = [];
    foreach ($rows as $row) {
        $groups[$row['id']] ??= ['id' => $row['id'], 'name' => $row['name'], 'members' => []];
        $groups[$row['id']]['members'][] = ['id' => $row['user_id'], 'username' => $row['username']];
    }
    $last = last_messages(array_map(fn (int $id) => "group:$id", array_keys($groups)));
    return array_map(
        fn (array $group) => $group + ['last' => $last["group:$group[id]"] ?? null],
        array_values($groups),
    );
}
