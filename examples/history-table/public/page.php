<?php

/**
 * The chat with one other user: page.php?with=ID
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';

startSession();
requireUser('../plain-php/sign-in.php');
$peer_id = (int) ($_GET['with'] ?? 0);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Chat</title>
<h1>Chat</h1>
<p>Connection: <span id="state" role="status">none</span>, unread: <span id="unread">?</span></p>
<p id="problem" role="alert"></p>
<ul id="messages"></ul>
<form id="form"><label>Text <input id="body" autocomplete="off" required></label> <button>Send</button></form>
<script src="/chatpush.js"></script>
<script>
  const peer = <?= $peer_id ?>;
  const field = document.getElementById('body');
  let last = 0;
  let timer;
  let messageId;

  function append(row) {
    const line = document.createElement('li');
    line.textContent = row.body;
    document.getElementById('messages').append(line);
  }

  async function poll() {
    const response = await fetch(`messages.php?with=${peer}&after=${last}`);
    if (!response.ok) return;
    for (const row of await response.json()) {
      if (row.id <= last) continue;
      last = row.id;
      append(row);
    }
  }

  function pollEvery(milliseconds) {
    clearInterval(timer);
    timer = setInterval(poll, milliseconds);
    poll();
  }

  const token = () => fetch('../plain-php/token.php', { cache: 'no-store' })
    .then((answer) => answer.ok ? answer.text() : Promise.reject(new Error(`token.php: ${answer.status}`)));

  // Another text is another message.
  field.addEventListener('input', () => { messageId = undefined; });
  document.getElementById('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    messageId ??= crypto.getRandomValues(new Uint32Array(4)).join('-');
    const form = new URLSearchParams({ receiver_id: peer, body: field.value, message_id: messageId });
    const answer = await fetch('send.php', { method: 'POST', body: form });
    // The text and the id stay: sent again, it is the same message.
    document.getElementById('problem').textContent = answer.ok ? '' : 'It was not sent. Try again.';
    if (!answer.ok) return;
    field.value = '';
    messageId = undefined;
    poll();
  });

  pollEvery(2000);
  const chat = window.ChatPush?.connect({ token });
  // The handler confirms it. It comes before its row is committed, so a poll here might not see the row.
  chat?.on('message', () => {});
  // The counter comes when the row is committed.
  chat?.on('unread', poll);
  chat?.on('state', (state) => pollEvery(state === 'open' ? 60000 : 2000));
  chat?.on('unread', (count) => { document.getElementById('unread').textContent = count; });
  chat?.on('state', (state) => { document.getElementById('state').textContent = state; });
  addEventListener('focus', () => chat?.markRead());
</script>
</html>
