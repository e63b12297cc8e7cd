-- The demo's own tables. chatpush neither reads nor writes them.

CREATE TABLE `chat_group` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(40) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `chat_group_member` (
  `group_id` int NOT NULL,
  `user_id` int NOT NULL,
  PRIMARY KEY (`group_id`, `user_id`),
  KEY `user_id` (`user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The history: every message, for as long as the chat exists.
CREATE TABLE `message` (
  `id` int NOT NULL AUTO_INCREMENT,
  `sender_id` int NOT NULL,
  -- One of these two: a user or a group.
  `receiver_id` int DEFAULT NULL,
  `group_id` int DEFAULT NULL,
  -- The conversation, whoever of its users wrote: `3:9` of the users 3 and 9, or `group:5`.
  `thread` varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Made by the sender's page. With it, a request that is repeated is the same message.
  `message_id` varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Empty once the message was deleted.
  `text` text NOT NULL,
  -- In milliseconds since 1970, as in the browser.
  `sent_at` bigint NOT NULL,
  -- 1: chatpush has accepted the message. 0: its delivery is still to be requested.
  `handed_over` tinyint NOT NULL DEFAULT 0,
  -- When the sender has deleted it for everybody.
  `deleted_at` bigint DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `message_id` (`sender_id`, `message_id`),
  KEY `thread` (`thread`, `id`),
  KEY `deleted` (`thread`, `deleted_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
