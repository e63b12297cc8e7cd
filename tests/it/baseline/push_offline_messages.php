<?php
// 用户上线,推送离线消息
$offline_messages = getOfflineMessage($user_id);
if(!empty($offline_messages)){
foreach($offline_messages as $offline_message){
pushMessage($user_id, $offline_message['content'], $type);
}
}
