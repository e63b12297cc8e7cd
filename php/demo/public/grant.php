<?php

/**
 * A grant: the page sees who of the other people is online, tells them that its user is typing, and hears of people who
 * register.
 */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
try {
    $peers = array_column(other_people($user_id), 'id');
    answer(['grant' => ChatPush\grantToken($user_id, $peers, ['people'], ttl_seconds: 600)]);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    refuse(503, 'Live messages are switched off.');
}
