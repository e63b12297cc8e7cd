<?php

declare(strict_types=1);

namespace App\Providers;

use App\Broadcasting\ChatPushBroadcaster;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\ServiceProvider;

/**
 * Makes the driver known. In config/broadcasting.php: 'chatpush' => ['driver' => 'chatpush'],
 */
final class AppServiceProvider extends ServiceProvider
{
    public function boot(): void
    {
        Broadcast::extend('chatpush', fn () => new ChatPushBroadcaster());
    }
}
