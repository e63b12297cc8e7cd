<?php

/**
 * A conversation from the history: what came after a row, what was before a row, or the last messages. And
 * what was deleted since a time.
 */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
$conversation = require_conversation($user_id, $_GET);
$now = now();
$since = number($_GET, 'since');
answer(messages_of($user_id, $conversation, number($_GET, 'after'), number($_GET, 'before')) + [
    'deleted' => $since === null ? [] : deleted_since($conversation, $since),
    'time' => $now,
]);
