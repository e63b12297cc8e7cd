<?php

/**
 * Shows the messages that wait for the user, without JavaScript.
 *
 * Reading deletes nothing. The form lists the rows that the user has seen and removes only those. A row that
 * arrives in the meantime stays, though it does not count as unread any more.
 */

declare(strict_types=1);

require __DIR__ . '/../src/functions.php';

startSession();
$csrf = $_SESSION['csrf'];
$user_id = requireUser();
$messages = [];
$unread = 0;
$problem = '';
try {
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        requireOwnForm();
        ChatPush\ackOfflineMessage($user_id, array_map('intval', explode(',', postedText('seen'))));
        ChatPush\clearUnreadCount($user_id);
        header('Location: inbox.php', response_code: 303);
        exit;
    }
    $messages = getOfflineMessage($user_id);
    $unread = getUnreadCount($user_id);
} catch (ValueError $mistake) {
    http_response_code(422);
    $problem = $mistake->getMessage();
} catch (ChatPush\Exception $exception) {
    error_log($exception->getMessage());
    http_response_code(503);
    $problem = 'Your messages cannot be read now. Please try again in a minute.';
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Inbox</title>
<h1>Inbox of <?= html(username($user_id)) ?></h1>
<p role="alert"><?= html($problem) ?></p>
<p>Unread: <span id="unread"><?= $unread ?></span></p>
<ul>
    <?php foreach ($messages as $message) : ?>
    <li><?= html($message['send_time']) ?>, <?= html(username($message['sender_id'])) ?>:
        <q><?= html($message['content']) ?></q></li>
    <?php endforeach; ?>
</ul>
<?php if ($messages !== []) : ?>
<form method="post">
    <input type="hidden" name="csrf" value="<?= $csrf ?>">
    <input type="hidden" name="seen" value="<?= implode(',', array_column($messages, 'id')) ?>">
    <button>I have read these</button>
</form>
<?php endif; ?>
<p><a href="send.php">Send a message</a></p>
