<?php
// 推送未读消息数量通知
$unread_count = getUnreadCount($user_id);
$json_data = array(
'type' => 'unread_count',
'data' => $unread_count
);
pushMessage($user_id, json_encode($json_data), $type);
