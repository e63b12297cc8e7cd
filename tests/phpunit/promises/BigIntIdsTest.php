<?php

declare(strict_types=1);

use ChatPush\Delivery;

/** An installation with user_id_type = "bigint". */
final class BigIntIdsTest extends PromisesTestCase
{
    protected const SETTINGS = [Setting::BigIntIds];

    public function testIdsAreIntegersInPhpAndTextsInFrames(): void
    {
        [$user, $sender] = [$this->installation->newUser(), PHP_INT_MIN];
        self::assertSame(Delivery::Stored, ChatPush\sendMessage((string) $sender, $user, 'a', message_id: 'a'));
        self::assertSame([$user => Delivery::Stored], ChatPush\sendToUsers($sender, ["$user"], 'b'));
        $rows = getOfflineMessage($user);
        self::assertSame([$sender, $sender], array_column($rows, 'sender_id'));
        self::assertSame([$user, $user], array_column($rows, 'receiver_id'));
        self::assertSame("$sender:a", $rows[0]['message_id']);
        $this->installation->connect($user);
        self::assertSame([$user], ChatPush\getOnlineUsers(["$user", $user, PHP_INT_MAX]));
        $messages = $this->installation->messages($user);
        self::assertSame([(string) $sender, (string) $sender], array_column($messages, 'from'));
        self::expectThrown(ValueError::class, fn () => getUnreadCount(0));
    }
}
