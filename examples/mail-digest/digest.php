#!/usr/bin/env php
<?php

/**
 * Mails users for whom messages wait, once until they come back. Run it every minute from cron.
 *
 * Exit codes: 0 done, 69 the extension is not loaded, 75 not all: the next run goes on.
 */

declare(strict_types=1);

const EX_UNAVAILABLE = 69;
const EX_TEMPFAIL = 75;

/** Users who are taken at a time. */
const USERS = 100;

/** How long mailing these may take. Who is not mailed by then is offered to the next run. */
const LEASE_SECONDS = 300;

if (!extension_loaded('chatpush')) {
    fwrite(STDERR, "The extension chatpush is not loaded; php --ini lists the files that PHP has read.\n");
    exit(EX_UNAVAILABLE);
}

$pdo = new PDO(
    'mysql:unix_socket=' . getenv('CHAT_MYSQL_SOCKET') . ';dbname=' . getenv('CHAT_MYSQL_DATABASE'),
    (string) getenv('CHAT_MYSQL_USER'),
    (string) getenv('CHAT_MYSQL_PASSWORD'),
);
$address = $pdo->prepare('SELECT username FROM user WHERE id = ?');

try {
    // Until nobody is due: with long messages fewer come at a time.
    while (($due = ChatPush\getDueNotifications(USERS, LEASE_SECONDS)) !== []) {
        $ends = hrtime(true) + (LEASE_SECONDS - 30) * 1_000_000_000;
        foreach ($due as ['user_id' => $user, 'waiting' => $waiting]) {
            if (hrtime(true) > $ends) {
                // Another run may get the rest now.
                exit(EX_TEMPFAIL);
            }
            $address->execute([$user]);
            $name = $address->fetchColumn();
            // A user without an address is marked too, or would be offered again for ever.
            if ($name !== false && !notify((string) $name, $waiting)) {
                continue;
            }
            // One by one: who was mailed is not mailed again, whatever happens to this run.
            ChatPush\markNotified([$user]);
        }
    }
} catch (ChatPush\Exception $problem) {
    fwrite(STDERR, "{$problem->getMessage()}\n");
    exit(EX_TEMPFAIL);
}

/** Mails one user; false if the mail was not accepted. */
function notify(string $name, int $waiting): bool
{
    $text = $waiting === 1 ? 'A message waits for you.' : "$waiting messages wait for you.";
    $text .= "\n\nhttps://chat.example/\n";
    return mail("$name@chat.example", 'New messages', $text, ['From' => 'chat@chat.example']);
}
