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
<ul id="messages"></ul>
<form id="form"><label>Text <input id="body" autocomplete="off" required></label> <button>Send</button></form>
<script src="/chatpush.js"></script>
<script>
  const peer = <?= $peer_id ?>;
  let last = 0;

  function append(row) {
    const line = document.createElement('li');
    line.textContent = row.body;
    document.getElementById('messages').append(line);
  }

  // Shows a row of the history once, wherever it comes from.
  const shown = new Set();
  function show(row) {
    if (shown.has(row.id) || ![row.sender_id, row.receiver_id].includes(peer)) return;
    shown.add(row.id);
    append(row);
  }

  async function load() {
    const response = await fetch(`messages.php?with=${peer}&after=${last}`);
    for (const row of await response.json()) {
      last = Math.max(last, row.id);
      show(row);
    }
  }

  document.getElementById('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const field = document.getElementById('body');
    const form = new URLSearchParams({ receiver_id: peer, body: field.value });
    field.value = '';
    show(await (await fetch('send.php', { method: 'POST', body: form })).json());
  });

  async function token() {
    const answer = await fetch('../plain-php/token.php', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`token.php answered ${answer.status}`);
    return answer.text();
  }

  load();
  if (window.ChatPush) {
    const chat = ChatPush.connect({ token });
    chat.on('message', (message) => show(JSON.parse(message.data)));
    chat.on('unread', (count) => { document.getElementById('unread').textContent = count; });
    chat.on('state', (state) => {
      document.getElementById('state').textContent = state;
      if (state === 'open') load();
    });
    addEventListener('focus', () => chat.markRead());
  }
</script>
</html>
