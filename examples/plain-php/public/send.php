<?php

/**
 * Sends a message. It is stored exactly once, and pushed at once if the receiver is connected.
 */

declare(strict_types=1);

require __DIR__ . '/../src/functions.php';

startSession();
$csrf = $_SESSION['csrf'];
$user_id = requireUser();
$to = postedText('to');
$text = postedText('text');
// The form carries the id of its message. If the form is sent twice, that is still one message.
$message_id = postedText('message_id') ?: bin2hex(random_bytes(12));
$outcome = '';

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    requireOwnForm();
    try {
        $receiver = findUser($to);
        if ($receiver === null) {
            http_response_code(422);
            $outcome = 'There is no user of that name.';
        } else {
            $delivery = ChatPush\sendMessage($user_id, $receiver['id'], $text, 'text', $message_id);
            $outcome = $delivery === ChatPush\Delivery::Live
                ? 'Sent: the receiver is connected.'
                : 'Sent: the message waits for the receiver.';
            // The form is ready for the next message.
            $text = '';
            $message_id = bin2hex(random_bytes(12));
        }
    } catch (ValueError $mistake) {
        // An empty text is allowed. One of more than 65,535 bytes is not, nor one that is not UTF-8.
        http_response_code(422);
        $outcome = $mistake->getMessage();
    } catch (ChatPush\Exception $problem) {
        // The form keeps its text and its message id: sending it again cannot make two messages of it.
        error_log($problem->getMessage());
        http_response_code(503);
        $outcome = 'This did not work. Please send it again.';
    }
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Send a message</title>
<h1>Send a message</h1>
<p role="status"><?= html($outcome) ?></p>
<form method="post">
    <input type="hidden" name="csrf" value="<?= $csrf ?>">
    <input type="hidden" name="message_id" value="<?= html($message_id) ?>">
    <p><label>To <input name="to" required value="<?= html($to) ?>"></label></p>
    <p><label>Text <textarea name="text" required><?= html($text) ?></textarea></label></p>
    <p><button>Send</button></p>
</form>
<p><a href="inbox.php">Inbox</a></p>
