<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * The calls that reach only a user who is connected.
 *
 * @internal
 */
final class Live
{
    public static function push(
        string $function,
        int|string $receiver,
        string $content,
        string|int $type,
        ?string $messageId,
    ): bool {
        $check = new Arguments($function);
        $receiver = $check->user(1, 'receiver_id', $receiver);
        $check->content(2, $content);
        $check->type(3, $type);
        $check->messageId(4, $messageId);
        $memory = Memory::get();
        $id = $messageId ?? $memory->fetchedRow($receiver, $content);
        $do = function () use ($memory, $receiver, $content, $type, $id): bool {
            $row = $id === null ? null : $memory->row($receiver, $id);
            $message = $row?->pushedAs($content, $type) ?? Message::new($receiver, $content, $type, id: $id);
            if (!$memory->show($receiver, $message)) {
                return false;
            }
            $memory->forgetFetchedRow($receiver, $message->id);
            $memory->confirm($receiver);
            return true;
        };
        return Call::run($function, Effect::Live, $do, fn () => false, $id !== null);
    }

    public static function disconnect(string $function, int|string $user): bool
    {
        $user = (new Arguments($function))->user(1, 'user_id', $user);
        $memory = Memory::get();
        $do = function () use ($memory, $user): bool {
            $online = $memory->isOnline($user);
            unset($memory->connections[$user]);
            return $online;
        };
        return Call::run($function, Effect::Live, $do, fn () => false, true);
    }

    public static function isOnline(string $function, int|string $user): bool
    {
        $user = (new Arguments($function))->user(1, 'user_id', $user);
        $do = fn () => Memory::get()->isOnline($user);
        return Call::run($function, Effect::Presence, $do, fn () => false);
    }
}
