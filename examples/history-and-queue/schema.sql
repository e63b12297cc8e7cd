CREATE TABLE IF NOT EXISTS history (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sender_id int NOT NULL,
  receiver_id int NOT NULL,
  body text NOT NULL,
  created_at datetime NOT NULL,
  -- 0 until chatpush has taken it. Rows that were there before count as handed over.
  handed_over tinyint NOT NULL DEFAULT 1
);
