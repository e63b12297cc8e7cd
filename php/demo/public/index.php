<?php
// The chat page.
declare(strict_types=1);
require __DIR__ . '/../src/start.php';

$user_id = user_id();
if ($user_id === null) {
    go('sign-in.php');
}
$people = other_people($user_id);

/** An entry of the list of people; the page's script fills in presence, counter and last message. */
function entry(int|string $id, string $username): void
{
    ?><li><button data-person="<?= h($id) ?>">
        <span class="face" aria-hidden="true"><?= h(preg_replace('/^(.).*/us', '$1', $username)) ?></span>
        <span class="name"><?= h($username) ?></span>
        <span class="presence hidden">away</span>
        <span class="badge" hidden><span class="count"></span><span class="hidden"> new</span></span>
        <span class="last"></span>
    </button></li><?php
}

head('Chat');
?>
<body data-user="<?= h($user_id) ?>" data-csrf="<?= h($_SESSION['csrf']) ?>">
<header>
    <img src="icon.svg" alt="" width="24" height="24">
    <h1>Chat</h1>
    <span id="unread" class="badge" role="status" title="New since you last looked" hidden>
        <span class="count"></span><span class="hidden"> new since you last looked</span>
    </span>
    <span id="state" role="status">Connecting…</span>
    <span class="me"><span class="hidden">Signed in as </span><?= h($_SESSION['username']) ?></span>
    <form method="post" action="sign-out.php">
        <input type="hidden" name="csrf" value="<?= h($_SESSION['csrf']) ?>">
        <button class="second">Sign out</button>
    </form>
</header>
<nav aria-label="People">
    <ul id="people">
        <?php foreach ($people as $person) { entry($person['id'], $person['username']); } ?>
    </ul>
    <template id="person"><?php entry('', ''); ?></template>
</nav>
<main>
    <p id="welcome">Choose somebody to talk to.</p>
    <section id="conversation" aria-labelledby="with" hidden>
        <header>
            <button id="back" class="second" aria-label="Back to people">‹</button>
            <h2 id="with" tabindex="-1"></h2>
        </header>
        <div id="log" role="log" aria-label="What was said" aria-live="off" tabindex="0"><ol id="messages"></ol></div>
        <template id="line"><li><span class="who hidden"></span><p></p>
            <span class="about"><time></time> <span class="tick" role="img"></span></span></li></template>
        <form id="send">
            <label class="hidden" for="text">Message</label>
            <textarea id="text" rows="1" maxlength="2000" placeholder="Message" required></textarea>
            <button>Send</button>
        </form>
    </section>
    <p id="problem" role="status"></p>
</main>
<p id="announce" class="hidden" aria-live="polite"></p>
<script src="/chatpush.js"></script>
<script type="module" src="chat.js"></script>
</body>
</html>
