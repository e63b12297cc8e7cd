<?php
// 清空未读消息数量
$update_sql = "UPDATE `user` SET `unread_count` = 0 WHERE `id` = :user_id";
$update_stmt = $pdo->prepare($update_sql);
$update_stmt->bindParam(':user_id', $user_id, PDO::PARAM_INT);
$update_stmt->execute();
