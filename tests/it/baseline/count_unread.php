<?php
// 更新未读消息数量
$update_sql = "UPDATE `user` SET `unread_count` = `unread_count` + 1 WHERE `id` = :receiver_id";
$update_stmt = $pdo->prepare($update_sql);
$update_stmt->bindParam(':receiver_id', $receiver_id, PDO::PARAM_INT);
$update_stmt->execute();
