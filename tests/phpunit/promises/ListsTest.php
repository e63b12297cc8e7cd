<?php

declare(strict_types=1);

/** Elements of lists, with and without strict types. */
final class ListsTest extends PromisesTestCase
{
    public function testElementsAreNumbersAsInACallWithoutStrictTypes(): void
    {
        $user = $this->installation->newUser();
        $send = fn (mixed $id) => array_keys(self::weakly('ChatPush\sendToUsers', 1, [$id], 'x'));
        self::assertSame([$user], $send((float) $user));
        self::assertSame([1], $send(true));
        foreach (array_column(getOfflineMessage($user), 'id') as $id) {
            foreach (["$id ", "$id.0", (float) $id] as $at => $element) {
                self::assertSame($at === 0 ? 1 : 0, self::weakly('ChatPush\ackOfflineMessage', $user, [$element]));
            }
        }
        foreach (['string' => 'two', 'array' => [1], 'float' => NAN] as $type => $element) {
            $call = fn () => self::weakly('ChatPush\ackOfflineMessage', $user, ['k' => $element]);
            $thrown = self::expectThrown(TypeError::class, $call);
            self::assertStringEndsWith("must be a list of int, \$ids['k'] is $type", $thrown->getMessage());
        }
        $call = fn () => self::weakly('ChatPush\sendToUsers', 1, [false], 'x');
        $thrown = self::expectThrown(ValueError::class, $call);
        self::assertStringContainsString('$receiver_ids[0] is 0', $thrown->getMessage());
    }

    /** This file has strict types. */
    public function testElementsAreStrictWhereTheFileIs(): void
    {
        foreach (['string' => '2', 'float' => 2.0, 'bool' => true, 'null' => null] as $type => $element) {
            $call = fn () => ChatPush\ackOfflineMessage(1, [$element]);
            $thrown = self::expectThrown(TypeError::class, $call);
            self::assertStringEndsWith("must be a list of int, \$ids[0] is $type", $thrown->getMessage());
        }
        $this->expectException(TypeError::class);
        ChatPush\grantToken(1, [2.0]);
    }

    /** A key may be no UTF-8. */
    public function testTheKeyOfABadElementIsNamed(): void
    {
        $call = fn () => ChatPush\ackOfflineMessage(1, ["it's \\ \xff" => 0]);
        $thrown = self::expectThrown(ValueError::class, $call);
        self::assertStringContainsString("\$ids['it\\'s \\\\ \u{FFFD}'] is 0", $thrown->getMessage());
    }

    /** PHP itself calls without strict types. */
    private static function weakly(string $function, mixed ...$arguments): mixed
    {
        return (new ReflectionFunction($function))->invoke(...$arguments);
    }
}
