<?php

/**
 * A page of the application: page.php?shop=NAME
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';

startSession();
$user_id = requireUser('../plain-php/sign-in.php');
$shop = preg_replace('/[^a-z0-9]/', '', (string) ($_GET['shop'] ?? ''));
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Shop</title>
<h1>Shop</h1>
<ul id="messages"></ul>
<form id="form"><label>Text <input id="text" required></label> <button>Tell everybody here</button></form>
<script src="/chatpush.js"></script>
<script>
  // Has what the page uses of a WebSocket. The user is that of the session.
  function openSocket() {
    async function text(page) {
      const answer = await fetch(page, { cache: 'no-store' });
      if (!answer.ok) throw new Error(`${page} answered ${answer.status}`);
      return answer.text();
    }
    let chat;
    // A new connection brings a new grant, with the groups that the user is in now.
    function connect() {
      chat?.close();
      const token = () => text('../plain-php/token.php');
      chat = ChatPush.connect({ token, grant: () => text('grant.php') });
      chat.on('message', ({ type, data }) => { if (type === 'gateway') socket.onmessage?.({ data }); });
    }
    const socket = {
      async send(data) {
        const headers = { 'X-Requested-With': 'fetch' };
        const answer = await fetch('event.php', { method: 'POST', body: data, headers });
        if ((await answer.json()).regrouped) connect();
      },
    };
    connect();
    setTimeout(() => socket.onopen?.());
    return socket;
  }

  const socket = openSocket();      // was: new WebSocket('wss://chat.example.com:8282')
  const send = (cmd, data) => socket.send(JSON.stringify({ cmd, data }));
  const shop = <?= json_encode($shop) ?>;

  socket.onopen = () => send('init', { uid: <?= $user_id ?>, shop });
  socket.onmessage = ({ data }) => {
    const { cmd, data: fields } = JSON.parse(data);
    const line = document.createElement('li');
    line.textContent = `${cmd}: ${fields.text ?? ''}`;
    document.getElementById('messages').append(line);
  };
  document.getElementById('form').addEventListener('submit', (event) => {
    event.preventDefault();
    send('notice', { shop, text: document.getElementById('text').value });
  });
</script>
</html>
