CREATE TABLE `offline_message` (
`id` int(11) NOT NULL AUTO_INCREMENT,
`sender_id` int(11) NOT NULL COMMENT '发送者ID',
`receiver_id` int(11) NOT NULL COMMENT '接收者ID',
`content` text NOT NULL COMMENT '消息内容',
`send_time` datetime NOT NULL COMMENT '发送时间',
PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `user` (
`id` int NOT NULL AUTO_INCREMENT,
`username` varchar(255) NOT NULL COMMENT '用户名',
`password` varchar(255) NOT NULL COMMENT '密码',
`unread_count` int NOT NULL DEFAULT 0 COMMENT '未读消息数量',
PRIMARY KEY (`id`),
UNIQUE KEY `username` (`username`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
