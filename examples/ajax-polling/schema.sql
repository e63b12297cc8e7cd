CREATE TABLE IF NOT EXISTS polled_message (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sender_id int NOT NULL,
  receiver_id int NOT NULL,
  body text NOT NULL,
  created_at datetime NOT NULL
);
