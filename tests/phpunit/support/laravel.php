<?php

// As much of Laravel as examples/laravel uses, with the same names, parameters and behaviour. Laravel itself
// is not installed for tests.

declare(strict_types=1);

namespace Symfony\Component\HttpKernel\Exception {
    class AccessDeniedHttpException extends \RuntimeException
    {
    }
}

namespace Illuminate\Broadcasting {
    class BroadcastException extends \RuntimeException
    {
    }
}

namespace Illuminate\Broadcasting\Broadcasters {
    use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

    trait UsePusherChannelConventions
    {
        public function isGuardedChannel($channel)
        {
            return str_starts_with($channel, 'private-') || str_starts_with($channel, 'presence-');
        }

        public function normalizeChannelName($channel)
        {
            return preg_replace('/^(private|presence)-/', '', $channel);
        }
    }

    abstract class Broadcaster
    {
        /** @var array<string, callable> */
        private array $channels = [];

        abstract public function auth($request);

        abstract public function validAuthenticationResponse($request, $result);

        abstract public function broadcast(array $channels, $event, array $payload = []);

        public function channel($channel, $callback)
        {
            $this->channels[$channel] = $callback;
            return $this;
        }

        protected function verifyUserCanAccessChannel($request, $channel)
        {
            foreach ($this->channels as $pattern => $callback) {
                $pattern = preg_replace('/\\\{.*?\\\}/', '([^.]+)', preg_quote($pattern, '/'));
                if (preg_match("/^$pattern\$/", $channel, $found) === 1) {
                    $result = $callback($request->user(), ...array_slice($found, 1));
                    if ($result) {
                        return $this->validAuthenticationResponse($request, $result);
                    }
                }
            }
            throw new AccessDeniedHttpException();
        }

        protected function formatChannels(array $channels)
        {
            return array_map(fn ($channel) => (string) $channel, $channels);
        }
    }
}

namespace Illuminate\Support {
    abstract class ServiceProvider
    {
    }
}

namespace Illuminate\Support\Facades {
    /** Keeps the drivers that are made known. */
    class Broadcast
    {
        /** @var array<string, callable> */
        public static array $drivers = [];

        public static function extend($driver, $callback)
        {
            self::$drivers[$driver] = $callback;
        }
    }
}
