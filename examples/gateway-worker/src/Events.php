<?php

declare(strict_types=1);

use GatewayWorker\Lib\Gateway;

/**
 * Event code as such applications have it: the visitors of a shop and the people who answer them.
 *
 * It knows nothing of chatpush.
 */
final class Events
{
    /** Called for each message of a page. */
    public static function onMessage(int|string $client_id, string $data): void
    {
        $message = json_decode($data, true);
        $fields = $message['data'] ?? [];
        match ($message['cmd'] ?? '') {
            'init' => self::init($client_id, $fields),
            'chatMessage' => self::chat($fields),
            'transfer' => self::transfer($client_id, $fields),
            'notice' => self::notice($client_id, $fields),
            'closeUser' => self::close($fields),
            'ping' => Gateway::sendToClient($client_id, self::json('pong', [])),
            default => Gateway::sendToCurrentClient(self::json('error', ['msg' => 'unknown command'])),
        };
    }

    /** Called when a user's last page is gone; see disconnected.php. */
    public static function onClose(int|string $client_id): void
    {
        Gateway::sendToGroup('staff', self::json('offline', ['customer_id' => $client_id]));
    }

    private static function init(int|string $client_id, array $fields): void
    {
        Gateway::bindUid($client_id, $fields['uid']);
        Gateway::joinGroup($client_id, "shop:{$fields['shop']}");
        if ($_SESSION['staff'] ?? false) {
            Gateway::joinGroup($client_id, 'staff');
        }
        Gateway::sendToClient($client_id, self::json('ready', ['uid' => $client_id]));
    }

    private static function chat(array $fields): void
    {
        $clients = Gateway::getClientIdByUid($fields['to_id']);
        if (!empty($clients)) {
            $fields['content'] = htmlspecialchars($fields['content']);
            Gateway::sendToClient($clients[0], self::json('chatMessage', $fields));
        }
    }

    private static function notice(int|string $client_id, array $fields): void
    {
        Gateway::sendToGroup("shop:{$fields['shop']}", self::json('notice', $fields), $client_id);
    }

    private static function close(array $fields): void
    {
        if ($_SESSION['staff'] ?? false) {
            Gateway::closeClient($fields['customer_id'], self::json('isClose', ['msg' => 'good bye']));
        }
    }

    private static function transfer(int|string $client_id, array $fields): void
    {
        if (!Gateway::isUidOnline($fields['to'])) {
            Gateway::sendToCurrentClient(self::json('error', ['msg' => 'nobody is there']));
            return;
        }
        Gateway::sendToUid([$fields['to'], $fields['customer_id']], self::json('transferred', $fields));
    }

    private static function json(string $command, array $data): string
    {
        return json_encode(['cmd' => $command, 'data' => $data], JSON_THROW_ON_ERROR);
    }
}
