<?php

/**
 * Keeps a message, then tells the receiver's page that there is one.
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';

startSession();
$user_id = requireUserOfScript();
$receiver_id = (int) postedText('receiver_id');
$body = postedText('body');
if ($receiver_id < 1 || $body === '' || strlen($body) > 65_535) {
    http_response_code(422);
    exit;
}
$insert = 'INSERT INTO polled_message (sender_id, receiver_id, body, created_at) VALUES (?, ?, ?, NOW())';
database()->prepare($insert)->execute([$user_id, $receiver_id, $body]);
try {
    ChatPush\pushMessage($receiver_id, '', 'poll');
} catch (ChatPush\Exception | ValueError $problem) {
    // The receiver's page finds the message when it polls.
    error_log($problem->getMessage());
}
http_response_code(204);
