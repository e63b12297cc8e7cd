<?php

declare(strict_types=1);

use App\Broadcasting\ChatPushBroadcaster;

require_once __DIR__ . '/laravel.php';
require_once __DIR__ . '/../../../examples/laravel/ChatPushBroadcaster.php';
require_once __DIR__ . '/../../../examples/laravel/AppServiceProvider.php';

/** What an application and a request of Laravel give to the broadcaster of examples/laravel. */
final class LaravelApplication
{
    /** As routes/channels.php has it. */
    public static function broadcaster(): ChatPushBroadcaster
    {
        return (new ChatPushBroadcaster())->channel('team.{id}', fn ($user, $id) => (int) $id === 5);
    }

    public static function request(?int $user, array $channels): object
    {
        return new class ($user, $channels) {
            public function __construct(private ?int $id, private array $channels)
            {
            }

            public function user(): ?object
            {
                return $this->id === null ? null : $this;
            }

            public function getAuthIdentifier(): int
            {
                return $this->id;
            }

            public function input(string $key, mixed $default = null): mixed
            {
                return $key === 'channels' ? $this->channels : $default;
            }
        };
    }
}
