<?php

declare(strict_types=1);

namespace ChatPush\Testing;

/**
 * A message: a row of offline_message, a frame, or both.
 *
 * @internal
 */
final class Message
{
    /** @param int $time in milliseconds since 1970 */
    private function __construct(
        public readonly string $id,
        public readonly int|string $receiver,
        public readonly string $content,
        public readonly string|int $type,
        public readonly int|string|null $sender,
        public readonly ?string $conversation,
        private readonly ?string $room,
        private readonly int $time,
        private readonly ?int $row,
    ) {
    }

    /** A message of now. Without an id it gets one. */
    public static function new(
        int|string $receiver,
        string $content,
        string|int $type = 'text',
        int|string|null $sender = null,
        ?string $id = null,
        ?string $conversation = null,
        ?string $room = null,
    ): self {
        // The digits of a ULID; the first one is at most 7.
        $id ??= random_int(0, 7) . substr(strtoupper(bin2hex(random_bytes(13))), 1);
        $time = (int) (microtime(true) * 1000);
        return new self($id, $receiver, $content, $type, $sender, $conversation, $room, $time, null);
    }

    /** Whether it has the form of the ids that messages get without one: a ULID. */
    public static function isGeneratedId(string $id): bool
    {
        return preg_match('/\A[0-7][0-9A-HJKMNP-TV-Z]{25}\z/', $id) === 1;
    }

    /** The message as a row. */
    public function asRow(int $row): self
    {
        return $this->changed($this->content, $this->type, $row);
    }

    /** The row, pushed by the application: perhaps with another content. */
    public function pushedAs(string $content, string|int $type): self
    {
        return $this->changed($content, $type, $this->row ?? 0);
    }

    private function changed(string $content, string|int $type, int $row): self
    {
        return new self(
            $this->id,
            $this->receiver,
            $content,
            $type,
            $this->sender,
            $this->conversation,
            $this->room,
            $this->time,
            $row,
        );
    }

    /**
     * What a page gets: the object that chatpush.js hands to its handlers.
     *
     * @return array<string, mixed>
     */
    public function frame(): array
    {
        $frame = [
            'id' => $this->id,
            'type' => $this->type,
            'data' => $this->content,
            'from' => Memory::get()->userIdType === UserIdType::Int ? $this->sender : $this->fromAsText(),
            'conversation' => $this->conversation,
            'time' => $this->time,
            'room' => $this->room,
            'offline' => $this->row === null ? null : true,
        ];
        return array_filter($frame, fn ($value) => $value !== null);
    }

    /** The sender in JSON, where a number of 64 bits is a text. */
    private function fromAsText(): ?string
    {
        return $this->sender === null ? null : (string) $this->sender;
    }

    /**
     * What getDueNotifications() tells of it.
     *
     * @return array<string, mixed>
     */
    public function told(): array
    {
        return [
            'message_id' => $this->id,
            'sender_id' => $this->sender,
            'type' => $this->type,
            'content' => $this->content,
            'time' => $this->time,
        ];
    }

    /**
     * What getOfflineMessage() returns.
     *
     * @return array<string, mixed>
     */
    public function columns(): array
    {
        return [
            'id' => $this->row,
            'sender_id' => $this->sender,
            'receiver_id' => $this->receiver,
            'content' => $this->content,
            'send_time' => date('Y-m-d H:i:s', intdiv($this->time, 1000)),
            'message_id' => $this->id,
        ];
    }
}
