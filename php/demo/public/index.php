<?php

/** The chat page. Its scripts fill in people and messages. */

declare(strict_types=1);

require __DIR__ . '/../src/start.php';

$user_id = user_id();
if ($user_id === null) {
    go('sign-in.php');
}

head('Chat');
?>
<body data-user="<?= h($user_id) ?>" data-csrf="<?= h($_SESSION['csrf']) ?>">
<p id="outage" role="status"></p>
<div id="side">
    <header>
        <img src="icon.svg" alt="" width="24" height="24">
        <h1>Chat</h1>
        <span id="unread" class="badge" role="status" title="New since you last looked" hidden>
            <span class="count"></span><span class="hidden"> new since you last looked</span>
        </span>
        <span class="me"><span class="hidden">Signed in as </span><?= h($_SESSION['username']) ?></span>
        <form method="post" action="sign-out.php">
            <input type="hidden" name="csrf" value="<?= h($_SESSION['csrf']) ?>">
            <button class="second small">Sign out</button>
        </form>
    </header>
    <nav aria-label="People">
        <ul id="people"></ul>
        <p id="nobody" class="empty" hidden>Nobody else is here yet. Register in a private window.</p>
        <template id="person"><li><button>
            <span class="face" aria-hidden="true"></span>
            <span class="name"></span>
            <span class="presence hidden">away</span>
            <span class="badge" hidden><span class="count"></span><span class="hidden"> new</span></span>
            <span class="last"></span>
            <time></time>
        </button></li></template>
    </nav>
    <footer>This page: <span id="state" role="status">Connecting…</span></footer>
</div>
<main>
    <div id="welcome" class="empty">
        <img src="icon.svg" alt="" width="48" height="48">
        <p>Choose somebody to talk to.</p>
    </div>
    <section id="conversation" aria-labelledby="with" hidden>
        <header>
            <button id="back" class="plain" aria-label="Back to people">‹</button>
            <span class="face" aria-hidden="true"></span>
            <div>
                <h2 id="with" tabindex="-1"></h2>
                <p id="presence" role="status"></p>
            </div>
        </header>
        <div id="log" role="log" aria-label="What was said" aria-live="off" tabindex="0">
            <button id="earlier" class="second small" hidden>Show earlier messages</button>
            <p id="empty" class="empty" hidden></p>
            <ol id="messages"></ol>
        </div>
        <template id="line"><li><span class="who hidden"></span><p></p>
            <span class="about"><time></time> <span class="tick" role="img"></span></span></li></template>
        <p id="problem" role="status"></p>
        <form id="send">
            <label class="hidden" for="text">Message</label>
            <textarea id="text" rows="1" maxlength="2000" placeholder="Message" required></textarea>
            <button disabled>Send</button>
        </form>
    </section>
</main>
<p id="announce" class="hidden" aria-live="polite"></p>
<noscript><p class="empty">This chat needs JavaScript.</p></noscript>
<script src="js/chatpush.js"></script>
<script type="module" src="chat.js"></script>
</body>
</html>
