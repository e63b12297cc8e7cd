<?php

/**
 * The page of the chat: page.php?with=ID
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';

startSession();
requireUser('../plain-php/sign-in.php');
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Chat</title>
<h1>Chat</h1>
<ul id="messages"></ul>
<form id="form"><label>Text <input id="text" required></label> <button>Send</button></form>
<script src="/chatpush.js"></script>
<script>
  const token = () => fetch('../plain-php/token.php', { cache: 'no-store' })
    .then((answer) => answer.ok ? answer.text() : Promise.reject(new Error(`token.php: ${answer.status}`)));

  // Has what the page uses of a WebSocket.
  function openSocket() {
    const socket = {
      send: (data) => fetch('event.php', {
        method: 'POST', body: data, headers: { 'X-Requested-With': 'fetch' },
      }),
    };
    const chat = ChatPush.connect({ token });
    chat.on('message', ({ type, data }) => { if (type === 'ratchet') socket.onmessage?.({ data }); });
    chat.on('state', (state) => { if (state === 'open') socket.onopen?.(); });
    return socket;
  }

  const peer = <?= (int) ($_GET['with'] ?? 0) ?>;
  const socket = openSocket();      // was: new WebSocket('wss://chat.example.com:8080')

  function show(text) {
    const line = document.createElement('li');
    line.textContent = text;
    document.getElementById('messages').append(line);
  }

  socket.onopen = () => show('connected');
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.command === 'offline') return show('not here');
    show(`${message.command} from ${message.from}: ${message.text}`);
  };
  document.getElementById('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = document.getElementById('text').value;
    socket.send(JSON.stringify({ command: 'private', to: peer, text }));
  });
</script>
</html>
