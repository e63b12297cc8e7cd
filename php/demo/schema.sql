-- The demo's own tables. chatpush neither reads nor writes them.

-- The history: every message, for as long as the chat exists.
CREATE TABLE `message` (
  `id` int NOT NULL AUTO_INCREMENT,
  `sender_id` int NOT NULL,
  `receiver_id` int NOT NULL,
  -- Made by the sender's page. With it, a request that is repeated is the same message.
  `message_id` varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `text` text NOT NULL,
  -- In milliseconds since 1970, as in the browser.
  `sent_at` bigint NOT NULL,
  -- 1: chatpush has accepted the message. 0: its delivery is still to be requested.
  `handed_over` tinyint NOT NULL DEFAULT 0,
  -- The two users of the conversation, whoever of them wrote.
  `low_id` int GENERATED ALWAYS AS (LEAST(`sender_id`, `receiver_id`)) STORED,
  `high_id` int GENERATED ALWAYS AS (GREATEST(`sender_id`, `receiver_id`)) STORED,
  PRIMARY KEY (`id`),
  UNIQUE KEY `message_id` (`sender_id`, `message_id`),
  KEY `conversation` (`low_id`, `high_id`, `id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- How far each user has read each conversation: the id of the last message that was on their screen.
CREATE TABLE `seen` (
  `user_id` int NOT NULL,
  `person_id` int NOT NULL,
  `message` int NOT NULL,
  PRIMARY KEY (`user_id`, `person_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
