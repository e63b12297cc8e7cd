<?php
// The user has looked: nothing is unread any more.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$user_id = require_user();
require_own_post();
$stmt = database()->prepare('UPDATE `user` SET `unread_count` = 0 WHERE `id` = :user_id');
$stmt->execute(['user_id' => $user_id]);
answer(['unread' => 0]);
