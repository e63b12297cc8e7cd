<?php

declare(strict_types=1);

/** The extension, with the servers that chatpush-stack has started. */
final class InstallationOfStack implements Installation
{
    /** @var array<int, WebSocket> */
    private array $pages = [];

    public function __construct(private readonly Closure $newUser, private readonly Closure $token)
    {
    }

    public function newUser(): int
    {
        return ($this->newUser)();
    }

    public function connect(int $user): void
    {
        $this->pages[$user] = new WebSocket(($this->token)($user));
        eventually('the user is online', fn () => ChatPush\isOnline($user));
    }

    public function disconnect(int $user): void
    {
        $this->pages[$user]->close();
        eventually('the user is offline', fn () => !ChatPush\isOnline($user));
    }

    public function messages(int $user): array
    {
        // Reading up to one more message also answers the ping behind the others, which confirms them.
        pushMessage($user, 'the end of the test', 'end');
        $messages = [];
        while (($message = $this->pages[$user]->message())['type'] !== 'end') {
            if ($message['type'] !== 'unread_count') {
                $messages[] = $message;
            }
        }
        return $messages;
    }

    public function setUnread(int $user, int $count): void
    {
        Stack::database()->exec("UPDATE `user` SET `unread_count` = $count WHERE `id` = $user");
    }
}
