<?php

declare(strict_types=1);

/** A test that runs twice: with the extension and real servers, and with php/testing. */
abstract class PromisesTestCase extends ChatPushTestCase
{
    protected Installation $installation;

    protected function setUp(): void
    {
        if (extension_loaded('chatpush')) {
            parent::setUp();
            $this->installation = new InstallationOfStack(self::newUser(...), self::token(...));
        } else {
            $this->installation = new InstallationInMemory();
        }
    }
}
