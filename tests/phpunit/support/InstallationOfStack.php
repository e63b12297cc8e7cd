<?php

declare(strict_types=1);

/** The extension, with the servers that chatpush-stack has started. */
final class InstallationOfStack implements Installation
{
    /** @var array<int|string, WebSocket> */
    private array $pages = [];

    /** @var array<int|string, bool> whether each page confirms what it gets */
    private array $confirms = [];

    /** @var array<int|string, list<string>> */
    private array $recalled = [];

    /**
     * @param Closure(array): string $sign signs the claims of a token
     * @param OtherDaemon|null $daemon null: that of the stack
     */
    public function __construct(private readonly Closure $sign, private readonly ?OtherDaemon $daemon = null)
    {
        ini_set('chatpush.prefix', $daemon?->prefix ?? Stack::prefix());
    }

    public function newUser(): int
    {
        $pushOnly = $this->database()->query("SHOW TABLES LIKE 'user'")->fetch() === false;
        if ($pushOnly) {
            return random_int(1, 2_147_483_647);
        }
        $insert = $this->database()->prepare("INSERT INTO `user` (`username`, `password`) VALUES (?, '')");
        $insert->execute(['user-' . bin2hex(random_bytes(8))]);
        return (int) $this->database()->lastInsertId();
    }

    public function connect(int|string $user, bool $confirms = true): void
    {
        $this->confirms[$user] = $confirms;
        $this->pages[$user] = new WebSocket($this->token($user), 'chatpush.v1', $this->daemon?->webSocketUrl);
        eventually('the user is online', fn () => ChatPush\isOnline($user));
    }

    public function enter(int|string $user, string|int ...$rooms): void
    {
        $rooms = array_map(strval(...), array_values(array_unique($rooms)));
        $grant = $this->token($user, ['peers' => [], 'rooms' => $rooms], 'chatpush-grant+jwt');
        $this->pages[$user]->text(json_encode(['grant' => $grant]));
        while ($this->pages[$user]->message()['type'] !== 'grant');
    }

    public function disconnect(int|string $user): void
    {
        $this->pages[$user]->close();
        eventually('the user is offline', fn () => !ChatPush\isOnline($user));
    }

    public function messages(int|string $user): array
    {
        pushMessage($user, 'the end of the test', 'end');
        $page = $this->pages[$user];
        $messages = [];
        while (($frame = $page->message())['type'] !== 'end') {
            if (isset($frame['id'])) {
                $messages[] = $frame;
            } elseif ($frame['type'] === 'recall') {
                $this->recalled[$user] = [...$this->recalled($user), ...$frame['ids']];
            }
        }
        if ($messages !== [] && $this->confirms[$user]) {
            $page->text(json_encode(['ack' => array_column($messages, 'id')]));
        }
        return $messages;
    }

    public function recalled(int|string $user): array
    {
        return $this->recalled[$user] ?? [];
    }

    public function setUnread(int $user, int $count): void
    {
        $this->database()->exec("UPDATE `user` SET `unread_count` = $count WHERE `id` = $user");
    }

    public function pushEndpoints(int $user): array
    {
        $select = "SELECT `endpoint` FROM `chatpush_push` WHERE `user_id` = $user ORDER BY `created_at`";
        return $this->database()->query($select)->fetchAll(PDO::FETCH_COLUMN);
    }

    public function makeErrorsWarnings(): void
    {
        ini_set('chatpush.errors', 'warning');
    }

    public function breakDown(): void
    {
        ini_set('chatpush.timeout_ms', '300');
        ini_set('chatpush.redis_url', 'unix:///nowhere/redis.sock');
    }

    public function hang(): void
    {
        ini_set('chatpush.timeout_ms', '300');
        $this->daemon->pause();
    }

    public function recover(): void
    {
        ini_set('chatpush.redis_url', Stack::redisUrl());
        ini_set('chatpush.timeout_ms', '60000');
        $this->daemon?->goOn();
    }

    private function database(): PDO
    {
        return $this->daemon?->database() ?? Stack::database();
    }

    /** A token, signed here, because this process cannot set chatpush.secret. */
    private function token(int|string $user, array $claims = [], string $type = 'JWT'): string
    {
        $claims += ['sub' => (string) $user, 'iat' => time(), 'exp' => time() + 600];
        return ($this->sign)($claims, Stack::secret(), type: $type);
    }
}
