<?php

declare(strict_types=1);

namespace ChatPush\Testing;

use ChatPush\Delivery;
use ChatPush\Outcome;

/**
 * The calls that store messages, and read and change what is stored.
 *
 * @internal
 */
final class Mailbox
{
    public static function store(string $function, int|string $sender, int|string $receiver, string $content): bool
    {
        $check = new Arguments($function);
        $sender = $check->user(1, 'sender_id', $sender);
        $receiver = $check->user(2, 'receiver_id', $receiver);
        $check->content(3, $content);
        $message = Message::new($receiver, $content, sender: $sender);
        $do = fn () => Memory::get()->store($message, false) instanceof Delivery;
        return Call::run($function, Effect::Change, $do, fn (Outcome $known) => $known === Outcome::Queued);
    }

    public static function send(
        string $function,
        int|string $sender,
        int|string $receiver,
        string $content,
        string|int $type,
        ?string $messageId,
        int|string|null $conversation,
    ): ?Delivery {
        $check = new Arguments($function);
        $sender = $check->user(1, 'sender_id', $sender);
        $receiver = $check->user(2, 'receiver_id', $receiver);
        $check->content(3, $content);
        $check->type(4, $type);
        $check->chosenId(5, $messageId);
        $conversation = $check->conversation(6, $conversation);
        $id = $messageId === null ? null : "$sender:$messageId";
        $message = Message::new($receiver, $content, $type, $sender, $id, $conversation);
        $do = fn () => Memory::get()->store($message, $id !== null);
        $failed = fn (Outcome $known) => $known === Outcome::Queued ? Delivery::Stored : null;
        return Call::run($function, Effect::Change, $do, $failed, $id !== null);
    }

    /** @return list<array<string, mixed>> */
    public static function rows(string $function, int|string $user, int $limit, int $after): array
    {
        $check = new Arguments($function);
        $user = $check->user(1, 'user_id', $user);
        $check->between(2, 'limit', $limit, 1, 100_000);
        $check->atLeast(3, 'after_id', $after, 0);
        $do = function () use ($user, $limit, $after): array {
            $memory = Memory::get();
            $later = fn (int $row) => $row > $after;
            $rows = array_filter($memory->rowsOf($user), $later, ARRAY_FILTER_USE_KEY);
            $rows = array_slice(array_values($rows), 0, $limit);
            $memory->fetched($user, ...$rows);
            return array_map(fn (Message $row) => $row->columns(), $rows);
        };
        return Call::run($function, Effect::Query, $do, fn () => []);
    }

    public static function unread(string $function, int|string $user): int
    {
        $user = (new Arguments($function))->user(1, 'user_id', $user);
        $do = fn () => Memory::get()->unread[$user] ?? 0;
        return Call::run($function, Effect::Query, $do, fn () => 0);
    }

    /** @return array<int|string, int> */
    public static function unreadCounts(string $function, int|string $user): array
    {
        $user = (new Arguments($function))->user(1, 'user_id', $user);
        $do = fn () => self::countedBy()->conversations($user);
        return Call::run($function, Effect::Query, $do, fn () => []);
    }

    public static function clearUnread(string $function, int|string $user, int|string|null $conversation): void
    {
        $check = new Arguments($function);
        $user = $check->user(1, 'user_id', $user);
        $conversation = $check->conversation(2, $conversation);
        $do = function () use ($user, $conversation): void {
            ($conversation === null ? Memory::get() : self::countedBy())->clearUnread($user, $conversation);
        };
        Call::run($function, Effect::Change, $do, fn () => null);
    }

    /** The installation, if it counts by conversation. */
    private static function countedBy(): Memory
    {
        $memory = Memory::get();
        return $memory->countsConversations ? $memory : throw Failure::noConversations();
    }

    public static function recall(
        string $function,
        int|string $sender,
        int|string $receiver,
        string $messageId,
    ): bool {
        $check = new Arguments($function);
        $sender = $check->user(1, 'sender_id', $sender);
        $receiver = $check->user(2, 'receiver_id', $receiver);
        $check->messageId(3, $messageId);
        $ids = self::possibleIds($sender, $messageId);
        $do = fn () => Memory::get()->recall($sender, $receiver, $ids);
        return $ids === [] ? false : Call::run($function, Effect::Change, $do, fn (Outcome $known) => false, true);
    }

    /**
     * The ids of frames that the application may mean, as in the extension: one of the sender's own, or one that the
     * sender chose. A text in the form of a generated id may be either.
     *
     * @return list<string>
     */
    private static function possibleIds(int|string $sender, string $id): array
    {
        if (str_starts_with($id, "$sender:")) {
            return [$id];
        }
        $chosen = strlen($id) <= 64 ? ["$sender:$id"] : [];
        return Message::isGeneratedId($id) ? [...$chosen, $id] : $chosen;
    }

    public static function forget(string $function, int|string $user): void
    {
        $user = (new Arguments($function))->user(1, 'user_id', $user);
        $memory = Memory::get();
        // Without a database it is disconnectUser().
        $effect = $memory->pushOnly ? Effect::Live : Effect::Change;
        Call::run($function, $effect, fn () => $memory->forget($user), fn () => null, true);
    }

    public static function ack(string $function, int|string $user, array $ids): int
    {
        $check = new Arguments($function);
        $user = $check->user(1, 'user_id', $user);
        $ids = $check->rows(2, 'ids', $ids);
        $do = function () use ($user, $ids): int {
            $memory = Memory::get();
            $gone = array_intersect_key($memory->rowsOf($user), array_flip($ids));
            $memory->rows = array_diff_key($memory->rows, $gone);
            return count($gone);
        };
        return $ids === [] ? 0 : Call::run($function, Effect::Change, $do, fn () => 0);
    }
}
