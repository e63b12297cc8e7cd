<?php

/**
 * The page of a guest, and of the staff.
 */

declare(strict_types=1);

require __DIR__ . '/../functions.php';

start_visit();
$is_staff = is_staff();
session_write_close();
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Support</title>
<h1><?= $is_staff ? 'Questions' : 'Ask us' ?></h1>
<ul id="messages"></ul>
<form id="form">
    <?php if ($is_staff) : ?>
        <p><label>Guest <input id="guest" required></label></p>
    <?php endif ?>
    <p><label>Text <input id="text" required></label> <button>Send</button></p>
</form>
<p>State: <span id="state">connecting</span></p>
<script src="/chatpush.js"></script>
<script>
  const guest = document.getElementById('guest');
  const text = document.getElementById('text');

  function show(words) {
    const line = document.createElement('li');
    line.textContent = words;
    document.getElementById('messages').append(line);
  }

  async function token() {
    const answer = await fetch('token.php', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`token.php answered ${answer.status}`);
    return answer.text();
  }
  const chat = window.ChatPush?.connect({ token });
  chat?.on('state', (state) => { document.getElementById('state').textContent = state; });
  chat?.on('message', ({ from, data, conversation }) => {
    show(`${from}: ${data}`);
    // The staff answers whoever has asked last.
    if (guest) guest.value = conversation;
  });

  document.getElementById('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const id = crypto.getRandomValues(new Uint32Array(4)).join('-');
    const body = new URLSearchParams({ guest: guest?.value ?? '', text: text.value, id });
    const headers = { 'X-Requested-With': 'fetch' };
    const answer = await fetch('send.php', { method: 'POST', body, headers });
    if (!answer.ok) return show('It was not sent. Try again.');
    show(`you: ${text.value}`);
    text.value = '';
  });
</script>
</html>
