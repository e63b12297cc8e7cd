#!/usr/bin/env php
<?php

/**
 * Sends one message to every user, as a nightly job does.
 *
 * Usage: announce.php JOB TEXT
 *
 * JOB names the message, for example news-2026-01-31. It is the message id. So a job that failed can be
 * started again, and a user who has the message already does not get it twice.
 *
 * Exit codes: 0 every user has it, 64 wrong usage, 69 the extension is not loaded, 75 not yet: run it again.
 */

declare(strict_types=1);

use ChatPush\ConnectionException;
use ChatPush\TimeoutException;
use ChatPush\UnavailableException;

const EX_USAGE = 64;
const EX_UNAVAILABLE = 69;
const EX_TEMPFAIL = 75;

/** The user who is named as the sender. */
const SENDER = 1;

/** How many users are read from MySQL at once. */
const PAGE = 1000;

if ($argc !== 3) {
    fwrite(STDERR, "usage: announce.php JOB TEXT\n");
    exit(EX_USAGE);
}
[, $job, $text] = $argv;
if (!extension_loaded('chatpush')) {
    // cron has its own php.ini, and its user may not be allowed to read the file that loads the extension.
    fwrite(STDERR, "The extension chatpush is not loaded; php --ini lists the files that PHP has read.\n");
    exit(EX_UNAVAILABLE);
}

// How long the whole job keeps trying while Redis, MySQL or the daemon is down.
$retrySeconds = getenv('CHAT_RETRY_SECONDS');
$deadline = time() + ($retrySeconds === false ? 600 : (int) $retrySeconds);

$database = new PDO(
    sprintf(
        'mysql:unix_socket=%s;dbname=%s;charset=utf8mb4',
        getenv('CHAT_MYSQL_SOCKET'),
        getenv('CHAT_MYSQL_DATABASE'),
    ),
    getenv('CHAT_MYSQL_USER'),
    getenv('CHAT_MYSQL_PASSWORD'),
    [PDO::ATTR_EMULATE_PREPARES => false],
);
$page = $database->prepare('SELECT `id` FROM `user` WHERE `id` > ? ORDER BY `id` LIMIT ' . PAGE);

$last = 0;
$sent = 0;
// No transaction is open here: a store would wait for rows that this script has locked.
while ($page->execute([$last]) && ($users = $page->fetchAll(PDO::FETCH_COLUMN)) !== []) {
    foreach ($users as $user) {
        while (true) {
            try {
                ChatPush\sendMessage(SENDER, $user, $text, 'announcement', $job);
                $sent++;
                break;
            } catch (ConnectionException | UnavailableException | TimeoutException $problem) {
                // Whether the message was queued or not: under the same id it is the same message.
                if (time() >= $deadline) {
                    fwrite(STDERR, "Gave up at user $user: {$problem->getMessage()}\n");
                    exit(EX_TEMPFAIL);
                }
                fwrite(STDERR, "Trying again at user $user: {$problem->getMessage()}\n");
                // For one second after a failed connection, calls fail at once without trying.
                sleep(1);
            }
        }
    }
    $last = end($users);
}
echo "$sent users have it\n";
