CREATE TABLE IF NOT EXISTS forum_message (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sender_id int NOT NULL,
  subject varchar(120) NOT NULL,
  body text NOT NULL
);
CREATE TABLE IF NOT EXISTS forum_message_receiver (
  message_id int NOT NULL,
  receiver_id int NOT NULL,
  is_read tinyint NOT NULL DEFAULT 0,
  PRIMARY KEY (receiver_id, message_id)
);
