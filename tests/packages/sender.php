<?php
// Sends messages one after the other, each until it is stored. Usage: php sender.php NAME

declare(strict_types=1);

[, $name] = $argv;
for ($number = 1; !file_exists("/tmp/stop-$name"); $number++) {
    $id = "$name-$number";
    while (true) {
        try {
            ChatPush\sendMessage(1, 2, $id, 'text', $id);
            break;
        } catch (ChatPush\Exception $error) {
            if (!$error->isRetryable()) {
                throw $error;
            }
        }
    }
    file_put_contents("/tmp/sent-$name", "$id\n", FILE_APPEND);
}
