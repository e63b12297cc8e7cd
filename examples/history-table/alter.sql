ALTER TABLE message ADD delivered_at datetime NULL, ADD KEY waiting (receiver_id, delivered_at, id);
