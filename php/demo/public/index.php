<?php
// The chat itself.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$user_id = user_id();
if ($user_id === null) {
    go('sign-in.php');
}
$people = other_people($user_id);

head('Chat');
?>
<body data-user="<?= h($user_id) ?>" data-csrf="<?= h($_SESSION['csrf']) ?>">
<header>
    <h1>Chat</h1>
    <span id="unread" class="badge" role="status" aria-label="unread messages" hidden></span>
    <span id="state" role="status">connecting</span>
    <span class="me"><?= h($_SESSION['username']) ?></span>
    <form method="post" action="sign-out.php">
        <input type="hidden" name="csrf" value="<?= h($_SESSION['csrf']) ?>">
        <button class="second">Sign out</button>
    </form>
</header>
<nav aria-label="People">
    <?php foreach ($people as $person) { ?>
        <button data-person="<?= h($person['id']) ?>">
            <span class="face" aria-hidden="true"><?= h(preg_replace('/^(.).*/us', '$1', $person['username'])) ?></span>
            <span class="name"><?= h($person['username']) ?></span>
            <span class="badge" hidden></span>
        </button>
    <?php } ?>
    <template id="person">
        <button><span class="face" aria-hidden="true"></span><span class="name"></span><span class="badge" hidden></span></button>
    </template>
</nav>
<main>
    <p id="welcome">Choose somebody to talk to.</p>
    <section id="conversation" aria-labelledby="with" hidden>
        <h2><button id="back" class="second" aria-label="Back to people">‹</button> <span id="with"></span></h2>
        <ol id="messages" role="log" aria-live="polite"></ol>
        <form id="send">
            <label class="hidden" for="text">Message</label>
            <textarea id="text" rows="1" maxlength="2000" placeholder="Message" required></textarea>
            <button>Send</button>
        </form>
        <p id="problem" class="problem" role="alert" hidden></p>
    </section>
</main>
<script src="/chatpush.js"></script>
<script src="chat.js"></script>
</body>
</html>
