<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * The calls that reach everybody in a room, or everybody.
 *
 * @internal
 */
final class Rooms
{
    public static function push(string $function, string|int $room, string $content, string|int $type): bool
    {
        $check = new Arguments($function);
        $room = $check->room(1, $room);
        $check->content(2, $content);
        $check->type(3, $type);
        $memory = Memory::get();
        $do = fn () => self::show($memory->usersOf($room), $content, $type, $room);
        return Call::run($function, Effect::Live, $do, fn () => false);
    }

    /** @return list<int|string> */
    public static function users(string $function, string|int $room): array
    {
        $room = (new Arguments($function))->room(1, $room);
        $do = fn () => Memory::get()->usersOf($room);
        return Call::run($function, Effect::Presence, $do, fn () => []);
    }

    public static function pushToAll(string $function, string $content, string|int $type): bool
    {
        $check = new Arguments($function);
        $check->content(1, $content);
        $check->type(2, $type);
        $memory = Memory::get();
        $users = array_map($memory->userOfKey(...), array_keys($memory->connections));
        $do = fn () => self::show($users, $content, $type);
        return Call::run($function, Effect::Live, $do, fn () => false);
    }

    /** Shows a message to users. True if any of them is connected. */
    private static function show(array $users, string $content, string|int $type, ?string $room = null): bool
    {
        $shown = fn ($user) => Memory::get()->show($user, Message::new($user, $content, $type, room: $room));
        return array_filter($users, $shown) !== [];
    }
}
