-- What the application has: every message, with one receiver a row.
CREATE TABLE message (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sender_id int NOT NULL,
  receiver_id int NOT NULL,
  body text NOT NULL,
  created_at datetime NOT NULL
) CHARACTER SET utf8mb4;
