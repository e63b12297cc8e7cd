#!/usr/bin/env php
<?php

/**
 * Mails users for whom messages wait, once until they come back. Run it every minute from cron.
 *
 * Exit codes: 0 done, 1 mails were refused, MySQL cannot be used or a variable is not set, 69 the extension is not
 * loaded, 75 not all: the next run goes on. What is wrong is one line on stderr.
 */

declare(strict_types=1);

const EX_FAILURE = 1;
const EX_UNAVAILABLE = 69;
const EX_TEMPFAIL = 75;

/** Users who are taken at a time. */
const USERS = 10;

/** How long one mail may take. */
const MAIL_SECONDS = 30;

/** Enough for all who are taken at a time. Who is not mailed by then is offered to another run. */
const LEASE_SECONDS = USERS * MAIL_SECONDS;

if (!extension_loaded('chatpush')) {
    fwrite(STDERR, "The extension chatpush is not loaded; php --ini lists the files that PHP has read.\n");
    exit(EX_UNAVAILABLE);
}
foreach (['CHAT_MYSQL_SOCKET', 'CHAT_MYSQL_DATABASE', 'CHAT_MYSQL_USER'] as $name) {
    if ((string) getenv($name) === '') {
        fwrite(STDERR, "$name is not set: examples/README.md has the variables, and a crontab sets them above its lines.\n");
        exit(EX_FAILURE);
    }
}

$code = 0;
$refused = 0;
try {
    $pdo = new PDO(
        'mysql:unix_socket=' . getenv('CHAT_MYSQL_SOCKET') . ';dbname=' . getenv('CHAT_MYSQL_DATABASE'),
        (string) getenv('CHAT_MYSQL_USER'),
        (string) getenv('CHAT_MYSQL_PASSWORD'),
    );
    $address = $pdo->prepare('SELECT username FROM user WHERE id = ?');
    // Until nobody is due. A mail server that takes no mail at all is left alone until the next run.
    do {
        $told = 0;
        $last_start = hrtime(true) + (LEASE_SECONDS - MAIL_SECONDS) * 1_000_000_000;
        foreach (ChatPush\getDueNotifications(USERS, LEASE_SECONDS) as $due) {
            ['user_id' => $user, 'waiting' => $waiting, 'unread' => $unread] = $due;
            if (hrtime(true) > $last_start) {
                fwrite(STDERR, 'A mail took longer than ' . MAIL_SECONDS . " seconds: a later run mails the rest.\n");
                $code = EX_TEMPFAIL;
                break 2;
            }
            $address->execute([$user]);
            $name = $address->fetchColumn();
            if ($name === false) {
                // Marked all the same, or the user would be offered again for ever.
                fwrite(STDERR, "User $user has no row in the table of users, and is not mailed.\n");
            } elseif (!notify((string) $name, $unread ?: $waiting)) {
                $refused++;
                continue;
            }
            // One by one: who was mailed is not mailed again, whatever happens to this run.
            ChatPush\markNotified([$user]);
            $told++;
        }
    } while ($told > 0);
} catch (ChatPush\Exception $problem) {
    fwrite(STDERR, "{$problem->getMessage()}\n");
    $code = EX_TEMPFAIL;
} catch (PDOException $problem) {
    fwrite(STDERR, "MySQL: {$problem->getMessage()}\n");
    $code = EX_FAILURE;
}
if ($refused > 0) {
    fwrite(STDERR, "Mails that were refused: $refused. They are tried again when the lease has ended.\n");
    $code = EX_FAILURE;
}
exit($code);

/** Mails one user; false if the mail was not accepted. */
function notify(string $name, int $messages): bool
{
    $text = $messages === 1 ? 'You have a new message.' : "You have $messages new messages.";
    $text .= "\n\nhttps://chat.example/\n";
    return mail("$name@chat.example", 'New messages', $text, ['From' => 'chat@chat.example']);
}
