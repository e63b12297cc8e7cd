<?php

/** Creates a group of the user and other people. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
$name = trim(text($_POST, 'name'));
$chosen = is_array($_POST['members'] ?? null) ? $_POST['members'] : [];
$others = array_filter(array_unique(array_map(intval(...), $chosen)), fn (int $id) => $id !== $user_id);
if (preg_match('/^[^\p{C}]{1,40}$/uD', $name) !== 1) {
    refuse(422, 'A group has a name of 1 to 40 characters.');
}
if ($others === [] || count($others) >= GROUP_SIZE) {
    refuse(422, sprintf('Choose 1 to %d people.', GROUP_SIZE - 1));
}
if (array_filter($others, is_user(...)) !== $others) {
    refuse(422, 'This user does not exist.');
}
$members = [$user_id, ...$others];
$group_id = create_group($name, $members);

// Pages that are open show the group at once, the others when they are loaded.
try {
    ChatPush\pushToUsers($members, json(['group' => $group_id]), 'group');
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
}
answer(['group' => $group_id]);
