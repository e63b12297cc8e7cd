<?php

/**
 * Stands for any page of a forum: it has a badge, and a form to write a private message.
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';
require __DIR__ . '/../plugin.php';

startSession();
$csrf = $_SESSION['csrf'];
$user_id = requireUser('../plain-php/sign-in.php');
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    requireOwnForm();
    $names = explode(',', postedText('to'));
    $receivers = array_filter(array_map(fn (string $name) => findUser(trim($name)), $names));
    $receiver_ids = array_values(array_unique(array_column($receivers, 'id')));
    $subject = mb_substr(postedText('subject'), 0, 120);
    // What forums do: one message, and a row for each receiver.
    database()->beginTransaction();
    database()->prepare('INSERT INTO forum_message (sender_id, subject, body) VALUES (?, ?, ?)')
        ->execute([$user_id, $subject, postedText('body')]);
    $message_id = (int) database()->lastInsertId();
    $row = database()->prepare('INSERT INTO forum_message_receiver (message_id, receiver_id) VALUES (?, ?)');
    foreach ($receiver_ids as $receiver_id) {
        $row->execute([$message_id, $receiver_id]);
    }
    database()->commit();
    announce_private_message($message_id, username($user_id), $subject, $receiver_ids);
    header('Location: page.php', response_code: 303);
    exit;
}
$count = database()->prepare(
    'SELECT COUNT(*) FROM forum_message_receiver WHERE receiver_id = ? AND is_read = 0'
);
$count->execute([$user_id]);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Forum</title>
<h1>Forum</h1>
<p>New private messages: <span id="new"><?= $count->fetchColumn() ?></span></p>
<p id="news" role="status"></p>
<form method="post">
    <input type="hidden" name="csrf" value="<?= $csrf ?>">
    <p><label>To <input name="to" required></label></p>
    <p><label>Subject <input name="subject" required></label></p>
    <p><label>Text <textarea name="body" required></textarea></label></p>
    <p><button>Send</button></p>
</form>
<script src="/chatpush.js"></script>
<script>
  const token = () => fetch('../plain-php/token.php', { cache: 'no-store' })
    .then((answer) => answer.ok ? answer.text() : Promise.reject(new Error(`token.php: ${answer.status}`)));

  window.ChatPush?.connect({ token }).on('message', ({ type, data }) => {
    if (type !== 'private_message') return;
    const { from, subject } = JSON.parse(data);
    document.getElementById('new').textContent++;
    document.getElementById('news').textContent = `${from}: ${subject}`;
  });
</script>
</html>
