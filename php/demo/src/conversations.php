<?php

/**
 * A conversation, as one of its users sees it, is
 * `['name' => string, 'thread' => string, 'group' => ?int, 'receivers' => list<int>]`. The name is that of
 * chatpush's counters: the other user's id, or `group:5`. The thread is the same for all of its users.
 */

declare(strict_types=1);

/** The thread of two users. */
function thread_of(int $one, int $other): string
{
    return min($one, $other) . ':' . max($one, $other);
}

/** The conversation that the request names, or the end of the request if the user is not in it. */
function require_conversation(int $user_id, array $input): array
{
    $name = text($input, 'conversation');
    if (preg_match('/^group:([1-9][0-9]{0,8})$/D', $name, $found) === 1) {
        $members = members((int) $found[1]);
        if (!in_array($user_id, $members, true)) {
            refuse(422, 'This group does not exist.');
        }
        $receivers = array_values(array_diff($members, [$user_id]));
        return ['name' => $name, 'thread' => $name, 'group' => (int) $found[1], 'receivers' => $receivers];
    }
    $person_id = number($input, 'conversation');
    if ($person_id === null || $person_id === $user_id || !is_user($person_id)) {
        refuse(422, 'This user does not exist.');
    }
    $thread = thread_of($user_id, $person_id);
    return ['name' => (string) $person_id, 'thread' => $thread, 'group' => null, 'receivers' => [$person_id]];
}

/** How many messages of each conversation are unread, by its name. Null while that cannot be found out. */
function unread_counts(int $user_id): ?object
{
    try {
        return (object) ChatPush\getUnreadCounts($user_id);
    } catch (ChatPush\Exception $problem) {
        error_log($problem->getMessage());
        return null;
    }
}
