<?php
if($is_online){
// 用户在线,直接推送消息
pushMessage($receiver_id, $content, $type);
}else{
// 用户离线,存储消息
storeOfflineMessage($sender_id, $receiver_id, $content);
}
