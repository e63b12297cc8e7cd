<?php

declare(strict_types=1);

/** php/testing refuses what the extension refuses, with the same words. */
final class ArgumentsInMemoryTest extends PromisesTestCase
{
    /** @dataProvider outOfRange */
    public function testOutOfRangeArgumentIsAValueError(string $message, callable $call): void
    {
        foreach ([false, true] as $warnings) {
            ChatPush\Testing\Server::makeErrorsWarnings($warnings);
            $thrown = self::expectThrown(ValueError::class, $call)->getMessage();
            // The setting of a test is another one than that of a daemon.
            self::assertSame($message, str_replace(': Server::setUserIdType(UserIdType::Text)', '', $thrown));
        }
        self::assertSame([[], 0], [getOfflineMessage(1), getUnreadCount(1)]);
    }

    /** The cases of the extension's own test. */
    public static function outOfRange(): iterable
    {
        return ArgumentsTest::outOfRange();
    }

    public function testRoomsAreTexts(): void
    {
        (new ArgumentsTest('testRoomsAreTexts'))->testRoomsAreTexts();
    }

    public function testElementsOfListsMustBeIds(): void
    {
        (new ArgumentsTest('testElementsOfListsMustBeIds'))->testElementsOfListsMustBeIds();
    }

    public function testMessageIdMustBeOne(): void
    {
        (new FetchedRowsTest('testMessageIdMustBeOne'))->testMessageIdMustBeOne();
    }
}
