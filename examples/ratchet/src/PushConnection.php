<?php

declare(strict_types=1);

use Ratchet\ConnectionInterface;

/**
 * A user's connections, in place of one connection of a server of one's own.
 */
final class PushConnection implements ConnectionInterface
{
    /** The type of the messages, which tells the page that they come from here. */
    public const TYPE = 'ratchet';

    public function __construct(public readonly int|string $resourceId)
    {
    }

    /** Sends a text to all pages of the user. Nobody notices if they are gone, as with a connection. */
    public function send($data): self
    {
        ChatPush\pushMessage($this->resourceId, (string) $data, self::TYPE);
        return $this;
    }

    /** Ends the user's connections and revokes their tokens. */
    public function close(): void
    {
        ChatPush\disconnectUser($this->resourceId);
    }
}
