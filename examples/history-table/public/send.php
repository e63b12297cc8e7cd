<?php

/**
 * Sends a message: chatpush writes the row.
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';
require __DIR__ . '/../functions.php';

startSession();
$user_id = requireUserOfScript();
$receiver = database()->prepare('SELECT id FROM user WHERE id = ?');
$receiver->execute([postedText('receiver_id')]);
$receiver_id = $receiver->fetchColumn();
// Where a foreign key refuses an unknown receiver, each message would become a dead letter.
if ($receiver_id === false || postedText('body') === '') {
    http_response_code(422);
    exit;
}
try {
    send_message($user_id, $receiver_id, postedText('body'), postedText('message_id'));
    http_response_code(204);
} catch (ValueError $mistake) {
    // Too long a text, or no message id.
    http_response_code(422);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    // What is queued will be a row. Anything else the page sends again, with the same id.
    http_response_code($problem->getOutcome() === ChatPush\Outcome::Queued ? 202 : 503);
}
