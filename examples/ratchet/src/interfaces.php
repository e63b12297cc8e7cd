<?php

/**
 * The two interfaces of Ratchet that the application uses, for an installation without Ratchet. Their methods
 * have the same names and parameters.
 */

declare(strict_types=1);

namespace Ratchet;

if (!interface_exists(ConnectionInterface::class)) {
    interface ConnectionInterface
    {
        public function send($data);

        public function close();
    }
}

if (!interface_exists(MessageComponentInterface::class)) {
    interface MessageComponentInterface
    {
        public function onOpen(ConnectionInterface $conn);

        public function onMessage(ConnectionInterface $from, $msg);

        public function onClose(ConnectionInterface $conn);

        public function onError(ConnectionInterface $conn, \Exception $e);
    }
}
