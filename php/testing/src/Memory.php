<?php

declare(strict_types=1);

namespace ChatPush\Testing;

use ChatPush\Delivery;

/**
 * What Redis, MySQL and the daemon hold in an installation.
 *
 * @internal
 */
final class Memory
{
    private static ?self $memory = null;

    /** An installation that stores nothing. */
    public bool $pushOnly = false;

    /** How many messages may wait for a user who is not connected; 0: any number. */
    public int $maxMessages = 0;

    public bool $errorsAreWarnings;

    /** Whom to tell that messages wait; null: nobody. */
    public ?Notifications $notifications = null;

    /** The subscriptions to Web Push; null: it is off. */
    public ?PushSubscriptions $pushSubscriptions = null;

    /** Whether unread messages are counted by conversation too. */
    public bool $countsConversations = false;

    /** The type of user ids. */
    public UserIdType $userIdType = UserIdType::Int;

    /** @var array<int|string, list<bool>> the connections of each user: whether each confirms what it gets */
    public array $connections = [];

    /** @var array<string, list<int|string>> the users whose pages are in each room */
    public array $rooms = [];

    /** @var array<int|string, int> the unread counter of each user */
    public array $unread = [];

    /** @var array<int|string, list<string>> the ids that the pages of each user were told to remove */
    public array $recalled = [];

    /** @var array<int|string, int> the last row when each user's counter was cleared */
    private array $cleared = [];

    /** @var array<int|string, array<int|string, int>> what the conversations of each user count */
    private array $unreadBy = [];

    /** @var array<int|string, array<int|string, int>> the last row when each conversation was cleared, by user */
    private array $clearedBy = [];

    /** @var array<int, Message> the stored messages by the ids of their rows */
    public array $rows = [];

    /** @var array<string, Delivery> what became of the messages whose ids senders have chosen */
    public array $known = [];

    /** @var array<int|string, array<string, array<string, mixed>>> the frames of each user by message id */
    private array $frames = [];

    /** @var array<int|string, array<string, string>> the fetched contents of each user by message id */
    private array $fetched = [];

    /** @var list<Failure> how the next calls fail */
    private array $failures = [];

    private ?Failure $failsForEver = null;

    private int $lastRow = 0;

    private function __construct()
    {
        $this->errorsAreWarnings = get_cfg_var('chatpush.errors') === 'warning';
    }

    public static function get(): self
    {
        return self::$memory ??= new self();
    }

    public static function clear(): void
    {
        self::$memory = null;
    }

    public function fail(?Failure $failure, ?int $calls): void
    {
        $this->failures = $failure === null || $calls === null ? [] : array_fill(0, $calls, $failure);
        $this->failsForEver = $calls === null ? $failure : null;
    }

    public function fails(): bool
    {
        return $this->failures !== [] || $this->failsForEver !== null;
    }

    public function nextFailure(): ?Failure
    {
        return array_shift($this->failures) ?? $this->failsForEver;
    }

    public function isOnline(int|string $user): bool
    {
        return ($this->connections[$user] ?? []) !== [];
    }

    /**
     * The users in a room who are connected, each once.
     *
     * @return list<int|string>
     */
    public function usersOf(string $room): array
    {
        return array_values(array_filter($this->rooms[$room] ?? [], $this->isOnline(...)));
    }

    /** Shows a message to the user's connections. Each message is shown once. */
    public function show(int|string $user, Message $message): bool
    {
        if (!$this->isOnline($user)) {
            return false;
        }
        $this->frames[$user][$message->id] ??= $message->frame();
        return true;
    }

    /** @return list<array<string, mixed>> */
    public function frames(int|string $user): array
    {
        return array_values($this->frames[$user] ?? []);
    }

    /** Connects a user, who gets what is stored for them. */
    public function connect(int|string $user, bool $confirms): void
    {
        $this->connections[$user][] = $confirms;
        $this->notifications?->connected($user);
        foreach ($this->rowsOf($user) as $message) {
            $this->show($user, $message);
        }
        $this->confirm($user);
    }

    /** Removes the rows that a client of the user has confirmed. */
    public function confirm(int|string $user): void
    {
        if (in_array(true, $this->connections[$user] ?? [], true)) {
            $shown = $this->frames[$user] ?? [];
            $this->rows = array_filter(
                $this->rows,
                fn (Message $row) => !self::areSame($row->receiver, $user) || !isset($shown[$row->id]),
            );
        }
    }

    /** Stores a message, counts it and shows it, unless it is known. */
    public function store(Message $message, bool $chosen): Delivery
    {
        $key = "$message->receiver $message->id";
        if ($chosen && isset($this->known[$key])) {
            return $this->known[$key];
        }
        if (
            $this->maxMessages > 0 && !$this->isOnline($message->receiver)
            && count($this->rowsOf($message->receiver)) >= $this->maxMessages
        ) {
            throw Failure::mailboxFull($message->receiver);
        }
        $delivery = $this->show($message->receiver, $message) ? Delivery::Live : Delivery::Stored;
        $this->known[$key] = $delivery;
        $this->emptyConversations($message->receiver);
        $this->rows[++$this->lastRow] = $message->asRow($this->lastRow);
        $by = $this->conversations($message->receiver);
        $conversation = $message->conversation ?? $message->sender;
        $by[$conversation] = 1 + ($by[$conversation] ?? 0);
        $this->unreadBy[$message->receiver] = $by;
        $this->unread[$message->receiver] = 1 + ($this->unread[$message->receiver] ?? 0);
        $this->confirm($message->receiver);
        return $delivery;
    }

    /**
     * What each conversation of a user counts. A total that was set to 0 empties it.
     *
     * @return array<int|string, int>
     */
    public function conversations(int|string $user): array
    {
        $by = ($this->unread[$user] ?? 0) > 0 ? $this->unreadBy[$user] ?? [] : [];
        ksort($by, SORT_STRING);
        return $by;
    }

    /**
     * A total that the application has set to 0 is a clear: no older message is taken out of a counter later.
     */
    private function emptyConversations(int|string $user): void
    {
        if (($this->unread[$user] ?? 0) <= 0 && ($this->unreadBy[$user] ?? []) !== []) {
            $this->cleared[$user] = $this->lastRow;
            unset($this->unreadBy[$user]);
        }
    }

    /** Sets the counter of a user to 0, or takes away what one conversation counts. */
    public function clearUnread(int|string $user, ?string $conversation): void
    {
        $this->notifications?->hasRead($user);
        if ($conversation === null) {
            $this->unread[$user] = 0;
            $this->cleared[$user] = $this->lastRow;
            unset($this->unreadBy[$user], $this->clearedBy[$user]);
            return;
        }
        $this->emptyConversations($user);
        $by = $this->conversations($user);
        $this->unread[$user] = max(0, ($this->unread[$user] ?? 0) - ($by[$conversation] ?? 0));
        unset($by[$conversation]);
        $this->unreadBy[$user] = $by;
        $this->clearedBy[$user][$conversation] = $this->lastRow;
    }

    /**
     * Takes back the message of a sender that has one of these ids. Pages are told in any case of an id that shows
     * its sender, and of another one if it was taken back.
     *
     * @param list<string> $ids
     */
    public function recall(int|string $sender, int|string $receiver, array $ids): bool
    {
        $own = array_filter($ids, fn (string $id) => str_contains($id, ':'));
        $this->tellRecalled($receiver, $own);
        $this->emptyConversations($receiver);
        foreach ($this->rowsOf($receiver) as $number => $row) {
            if (self::areSame($row->sender, $sender) && in_array($row->id, $ids, true)) {
                unset($this->rows[$number]);
                $this->tellRecalled($receiver, array_diff($ids, $own));
                $conversation = $row->conversation ?? $row->sender;
                $cleared = $this->clearedBy[$receiver][$conversation] ?? 0;
                if ($number > max($cleared, $this->cleared[$receiver] ?? 0)) {
                    $this->unread[$receiver] = max(0, ($this->unread[$receiver] ?? 0) - 1);
                    $by = $this->unreadBy[$receiver] ?? [];
                    $by[$conversation] = max(0, ($by[$conversation] ?? 0) - 1);
                    $this->unreadBy[$receiver] = array_filter($by);
                }
                return true;
            }
        }
        return false;
    }

    /** @param array<string> $ids */
    private function tellRecalled(int|string $receiver, array $ids): void
    {
        if ($this->isOnline($receiver)) {
            $this->recalled[$receiver] = [...($this->recalled[$receiver] ?? []), ...array_values($ids)];
        }
    }

    /** Ends the connections of a user and forgets what is stored. What pages have got is on their screens. */
    public function forget(int|string $user): void
    {
        unset($this->connections[$user], $this->unread[$user], $this->cleared[$user], $this->fetched[$user]);
        unset($this->unreadBy[$user], $this->clearedBy[$user]);
        $this->notifications?->forget($user);
        $this->pushSubscriptions?->forget($user);
        $this->rows = array_diff_key($this->rows, $this->rowsOf($user));
    }

    /** Whether two ids are one user. As texts, since `"10" == "1e1"`. */
    public static function areSame(int|string|null $one, int|string|null $other): bool
    {
        return (string) $one === (string) $other;
    }

    /** The id of a user that is the key of an array, where PHP makes integers of digits. */
    public function userOfKey(int|string $key): int|string
    {
        return $this->userIdType->id($key) ?? $key;
    }

    /** @return array<int, Message> */
    public function rowsOf(int|string $user): array
    {
        return array_filter($this->rows, fn (Message $row) => self::areSame($row->receiver, $user));
    }

    public function row(int|string $user, string $messageId): ?Message
    {
        foreach ($this->rowsOf($user) as $row) {
            if ($row->id === $messageId) {
                return $row;
            }
        }
        return null;
    }

    /** Remembers that the application has fetched these rows. */
    public function fetched(int|string $user, Message ...$rows): void
    {
        foreach ($rows as $row) {
            unset($this->fetched[$user][$row->id]);
            $this->fetched[$user][$row->id] = $row->content;
        }
    }

    /** The id of a fetched row with this content that was not pushed yet. */
    public function fetchedRow(int|string $user, string $content): ?string
    {
        $id = array_search($content, $this->fetched[$user] ?? [], true);
        return $id === false ? null : (string) $id;
    }

    public function forgetFetchedRow(int|string $user, string $id): void
    {
        unset($this->fetched[$user][$id]);
    }
}
