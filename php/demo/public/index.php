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
    <div class="tools">
        <button id="new-group" class="second small">New group</button>
        <button id="notify" class="second small" role="switch" aria-checked="false" hidden>Notify me</button>
        <p id="notify-problem" role="status"></p>
    </div>
    <nav aria-label="Chats">
        <ul id="chats"></ul>
        <p id="nobody" class="empty" hidden>Nobody else is here yet. Register in a private window.</p>
        <template id="chat"><li><button>
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
            <button id="back" class="plain" aria-label="Back to the list">‹</button>
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
            <span class="about"><time></time> <span class="tick" role="img"></span></span>
            <button class="delete plain" aria-label="Delete this message" title="Delete this message">
                <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path fill="none"
                    stroke="currentcolor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"
                    d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5"/></svg>
            </button></li></template>
        <p id="problem" role="status"></p>
        <form id="send">
            <label class="hidden" for="text">Message</label>
            <textarea id="text" rows="1" maxlength="2000" placeholder="Message" required></textarea>
            <button disabled>Send</button>
        </form>
    </section>
</main>
<p id="announce" class="hidden" aria-live="polite"></p>
<dialog id="group" aria-labelledby="group-title">
    <form novalidate>
        <h2 id="group-title">New group</h2>
        <label>Name
            <input id="group-name" maxlength="40" autocomplete="off" aria-describedby="group-problem">
        </label>
        <fieldset>
            <legend>Members</legend>
            <ul id="members"></ul>
        </fieldset>
        <p id="group-problem" class="wrong" role="alert"></p>
        <div class="buttons">
            <button type="button" class="cancel second">Cancel</button>
            <button>Create</button>
        </div>
    </form>
    <template id="choice"><li><label>
        <input type="checkbox">
        <span class="face" aria-hidden="true"></span>
        <span class="name"></span>
    </label></li></template>
</dialog>
<dialog id="delete" aria-labelledby="delete-title" aria-describedby="delete-text">
    <h2 id="delete-title">Delete this message?</h2>
    <blockquote id="delete-text"></blockquote>
    <p>Nobody will see it any more, on any device. This cannot be undone.</p>
    <p id="delete-problem" class="wrong" role="alert"></p>
    <div class="buttons">
        <button class="cancel second" autofocus>Cancel</button>
        <button class="confirm danger">Delete for both</button>
    </div>
</dialog>
<noscript><p class="empty">This chat needs JavaScript.</p></noscript>
<script src="stub.js"></script>
<script src="js/chatpush.js" async></script>
<script type="module" src="chat.js"></script>
</body>
</html>
