<?php

declare(strict_types=1);

use ChatPush\Testing\Server;
use ChatPush\Testing\UserIdType;
use GatewayWorker\Lib\Gateway;

require_once __DIR__ . '/../../../examples/gateway-worker/src/Gateway.php';

/** The class of examples/gateway-worker with text ids. */
final class GatewayWorkerIdsTest extends PHPUnit\Framework\TestCase
{
    protected function setUp(): void
    {
        Server::reset();
    }

    /** The real error names the setting of the daemon, which a test does not have. */
    public function testErrorSaysHowATestSetsTheType(): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('for ids such as mira.k set it to text: Server::setUserIdType(UserIdType::Text)');
        Gateway::sendToUid('mira.k', 'hello');
    }

    public function testDigitsBehindAZeroAreAnotherUser(): void
    {
        Server::setUserIdType(UserIdType::Text);
        Server::connect('007');
        Server::connect(7);
        self::assertTrue(Gateway::sendToUid('007', 'to the agent'));
        self::assertTrue(Gateway::sendToClient('007', 'again'));
        self::assertSame(['to the agent', 'again'], array_column(Server::pushed('007'), 'data'));
        self::assertSame([], Server::pushed(7));
        self::assertSame(['007'], Gateway::getClientIdByUid('007'));
    }
}
