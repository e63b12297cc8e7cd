<?php

declare(strict_types=1);

namespace ChatPush\Testing;

use ChatPush\Delivery;
use ChatPush\Exception;
use ChatPush\Outcome;

/**
 * The calls for many users.
 *
 * @internal
 */
final class Many
{
    /** @return list<int|string> */
    public static function push(string $function, array $receivers, string $content, string|int $type): array
    {
        $check = new Arguments($function);
        $users = $check->users(1, 'receiver_ids', $receivers);
        $check->content(2, $content);
        $check->type(3, $type);
        $memory = Memory::get();
        $shown = fn (int|string $user) => $memory->show($user, Message::new($user, $content, $type));
        return self::those($function, Effect::Live, $users, $shown);
    }

    /** @return array<int|string, Delivery> */
    public static function send(
        string $function,
        int|string $sender,
        array $receivers,
        string $content,
        string|int $type,
        ?string $messageId,
        int|string|null $conversation,
    ): array {
        $check = new Arguments($function);
        $sender = $check->user(1, 'sender_id', $sender);
        $users = $check->users(2, 'receiver_ids', $receivers);
        $check->content(3, $content);
        $check->type(4, $type);
        $check->chosenId(5, $messageId);
        $conversation = $check->conversation(6, $conversation);
        if ($users === []) {
            return [];
        }
        $id = $messageId === null ? null : "$sender:$messageId";
        $do = function () use ($users, $content, $type, $sender, $id, $conversation): array {
            $sent = $failed = [];
            foreach ($users as $user) {
                $message = Message::new($user, $content, $type, $sender, $id, $conversation);
                try {
                    $sent[$user] = Memory::get()->store($message, $id !== null);
                } catch (Exception $exception) {
                    $failed[$user] = $exception;
                }
            }
            return $failed === [] ? $sent : throw Failure::partial($sent, $failed, $id !== null);
        };
        $failed = fn (Outcome $known) => $known === Outcome::Queued ? array_fill_keys($users, Delivery::Stored) : [];
        return Call::run($function, Effect::Change, $do, $failed, $id !== null);
    }

    /** @return list<int|string> */
    public static function online(string $function, array $users): array
    {
        $users = (new Arguments($function))->users(1, 'user_ids', $users);
        return self::those($function, Effect::Presence, $users, Memory::get()->isOnline(...));
    }

    /** The users of whom something is true. Nobody is asked about an empty list. */
    private static function those(string $function, Effect $effect, array $users, \Closure $is): array
    {
        $do = fn () => array_values(array_filter($users, $is));
        return $users === [] ? [] : Call::run($function, $effect, $do, fn () => []);
    }
}
