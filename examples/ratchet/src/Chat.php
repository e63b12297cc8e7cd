<?php

declare(strict_types=1);

use Ratchet\ConnectionInterface;
use Ratchet\MessageComponentInterface;

/**
 * The component of a Ratchet application: private messages and groups.
 *
 * What has changed is marked "was".
 */
final class Chat implements MessageComponentInterface
{
    /** @var PushConnections was: array<int, ConnectionInterface> */
    private PushConnections $users;

    /** @param Closure(string): list<int> $members the members of a group, from the application's tables */
    public function __construct(private readonly Closure $members)
    {
        $this->users = new PushConnections();      // was: []
    }

    public function onOpen(ConnectionInterface $conn): void
    {
        $this->users[$conn->resourceId] = $conn;
    }

    public function onMessage(ConnectionInterface $from, $msg): void
    {
        $message = json_decode($msg, true);
        $text = json_encode(['from' => $from->resourceId] + (array) $message);
        switch ($message['command'] ?? '') {
            case 'private':
                if (!isset($this->users[$message['to']])) {
                    $from->send(json_encode(['command' => 'offline', 'to' => $message['to']]));
                    break;
                }
                $this->users[$message['to']]->send($text);
                break;
            case 'group':
                $others = array_values(array_diff(($this->members)($message['group']), [$from->resourceId]));
                $this->users->sendTo($others, $text);   // was: foreach ($others as $id) { if (isset(…)) … }
                break;
            default:
                $from->close();
        }
    }

    public function onClose(ConnectionInterface $conn): void
    {
        unset($this->users[$conn->resourceId]);
    }

    public function onError(ConnectionInterface $conn, Exception $e): void
    {
        $conn->close();
    }
}
