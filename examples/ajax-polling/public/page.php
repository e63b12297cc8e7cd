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
<p>Connection: <span id="state" role="status">none</span></p>
<ul id="messages"></ul>
<form id="form"><label>Text <input id="body" autocomplete="off" required></label> <button>Send</button></form>
<script src="/chatpush.js"></script>
<script>
  const peer = <?= $peer_id ?>;
  let last = 0;
  let timer;

  function append(row) {
    const line = document.createElement('li');
    line.textContent = row.body;
    document.getElementById('messages').append(line);
  }

  async function poll() {
    const response = await fetch(`messages.php?with=${peer}&after=${last}`);
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

  document.getElementById('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const field = document.getElementById('body');
    const form = new URLSearchParams({ receiver_id: peer, body: field.value });
    field.value = '';
    await fetch('send.php', { method: 'POST', body: form });
    poll();
  });

  pollEvery(2000);
  // Without the script the page polls as before.
  const chat = window.ChatPush?.connect({ token });
  chat?.on('message', poll);
  chat?.on('state', (state) => pollEvery(state === 'open' ? 60000 : 2000));
  chat?.on('state', (state) => { document.getElementById('state').textContent = state; });
</script>
</html>
