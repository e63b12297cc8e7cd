<?php

declare(strict_types=1);

/** What was an INSERT into `message`. The page made the message id, and sends it with every attempt. */
function send_message(int|string $sender_id, int|string $receiver_id, string $body, string $message_id): void
{
    ChatPush\sendMessage($sender_id, $receiver_id, $body, 'chat', $message_id);
}
