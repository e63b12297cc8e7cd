<?php

/**
 * Receives the webhooks of chatpushd, and mails users for whom messages wait.
 *
 * CHAT_WEBHOOK_SECRET is the daemon's webhook.secret: one key, or several with spaces between them. README.md has the
 * other variables.
 */

declare(strict_types=1);

/** How old a webhook may be, in seconds: an older one may have been recorded and sent again by somebody else. */
const TOLERANCE = 300;

// Until it is done: with display_errors PHP answers 200 after an error.
http_response_code(500);

// Before all else: `chatpushd webhook test` prints it.
foreach (['CHAT_WEBHOOK_SECRET', 'CHAT_MYSQL_SOCKET', 'CHAT_MYSQL_DATABASE', 'CHAT_MYSQL_USER'] as $name) {
    if ((string) getenv($name) === '') {
        exit("$name is not set in the environment of PHP. PHP-FPM needs env[$name] in its pool.");
    }
}

$body = (string) file_get_contents('php://input');
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
$signatures = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '';
if (!is_signed($id, $timestamp, $body, $signatures, (string) getenv('CHAT_WEBHOOK_SECRET'))) {
    http_response_code(401);
    exit('The signature is wrong.');
}

try {
    $pdo = new PDO(
        'mysql:unix_socket=' . getenv('CHAT_MYSQL_SOCKET') . ';dbname=' . getenv('CHAT_MYSQL_DATABASE'),
        (string) getenv('CHAT_MYSQL_USER'),
        (string) getenv('CHAT_MYSQL_PASSWORD'),
    );
} catch (PDOException $problem) {
    error_log("MySQL: {$problem->getMessage()}");
    exit('MySQL cannot be used: the error log of PHP says why.');
}

['type' => $type, 'data' => $data] = json_decode($body, true, 512, JSON_THROW_ON_ERROR);
// What else comes is accepted and ignored: events of later versions, and webhook.test from `chatpushd webhook test`.
if ($type === 'message.waiting' && !mail_once($pdo, $id, $data)) {
    // Any other status than 2xx: chatpushd sends it again later.
    http_response_code(503);
    exit;
}
http_response_code(204);

/** Whether chatpushd has sent this (Standard Webhooks, "Verifying webhook authenticity"). */
function is_signed(string $id, string $timestamp, string $body, string $signatures, string $secrets): bool
{
    if (abs(time() - (int) $timestamp) > TOLERANCE) {
        return false;
    }
    // While a key is replaced, either side may have both: one signature by one key is enough.
    foreach (explode(' ', $secrets) as $secret) {
        $key = str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, strlen('whsec_')), true) : false;
        // Nobody may sign with an empty key.
        if ($key === false || $key === '') {
            continue;
        }
        $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
        foreach (explode(' ', $signatures) as $signature) {
            if (hash_equals($expected, $signature)) {
                return true;
            }
        }
    }
    return false;
}

/**
 * Mails a user, unless this webhook was received before: the same one comes again if our answer was lost.
 * Returns false if the mail was not accepted.
 *
 * @param array{user_id: int|string, waiting: int, unread: int} $data
 */
function mail_once(PDO $pdo, string $id, array $data): bool
{
    $pdo->exec('CREATE TABLE IF NOT EXISTS webhook_seen (
        id VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, seen_at DATETIME NOT NULL)');
    // The same webhook may come again while this one is still busy.
    $lock = $pdo->prepare('SELECT GET_LOCK(MD5(?), 0)');
    $lock->execute([$id]);
    if ((int) $lock->fetchColumn() !== 1) {
        return false;
    }
    $seen = $pdo->prepare('SELECT 1 FROM webhook_seen WHERE id = ?');
    $seen->execute([$id]);
    if ($seen->fetchColumn() !== false) {
        return true;
    }
    $address = $pdo->prepare('SELECT username FROM user WHERE id = ?');
    $address->execute([$data['user_id']]);
    $name = $address->fetchColumn();
    if ($name === false) {
        error_log("User {$data['user_id']} has no row in the table of users, and is not mailed.");
        return true;
    }
    $messages = $data['unread'] ?: $data['waiting'];
    $text = $messages === 1 ? 'You have a new message.' : "You have $messages new messages.";
    if (!mail("$name@chat.example", 'New messages', $text, ['From' => 'chat@chat.example'])) {
        return false;
    }
    $pdo->prepare('INSERT IGNORE INTO webhook_seen (id, seen_at) VALUES (?, NOW())')->execute([$id]);
    return true;
}
