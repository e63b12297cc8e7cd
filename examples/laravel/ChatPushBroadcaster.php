<?php

declare(strict_types=1);

namespace App\Broadcasting;

use Illuminate\Broadcasting\Broadcasters\Broadcaster;
use Illuminate\Broadcasting\Broadcasters\UsePusherChannelConventions;
use Illuminate\Broadcasting\BroadcastException;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * Laravel's broadcasting on chatpush: a channel is a room of the same name, and an event is a message.
 */
final class ChatPushBroadcaster extends Broadcaster
{
    use UsePusherChannelConventions;

    /**
     * Answers a page that wants to be in channels: the token to connect with, and the grant for its rooms.
     *
     * @return array{token: string, grant: string}
     */
    public function auth($request)
    {
        $channels = (array) $request->input('channels', []);
        $user = $request->user() ?? throw new AccessDeniedHttpException();
        foreach ($channels as $channel) {
            if ($this->isGuardedChannel($channel)) {
                $this->verifyUserCanAccessChannel($request, $this->normalizeChannelName($channel));
            }
        }
        $id = $user->getAuthIdentifier();
        $rooms = array_values(array_unique($channels));
        return ['token' => \ChatPush\connectToken($id), 'grant' => \ChatPush\grantToken($id, [], $rooms)];
    }

    /** What routes/channels.php allowed. auth() makes one answer for all channels. */
    public function validAuthenticationResponse($request, $result)
    {
        return $result;
    }

    /** The data of the message is an object with the event's name and payload. */
    public function broadcast(array $channels, $event, array $payload = [])
    {
        // The connection that toOthers() excludes. Nobody knows it here: the page ignores its own events.
        unset($payload['socket']);
        $content = json_encode(['event' => $event, 'data' => $payload], JSON_THROW_ON_ERROR);
        try {
            foreach ($this->formatChannels($channels) as $channel) {
                \ChatPush\pushToRoom($channel, $content, 'event');
            }
        } catch (\ChatPush\Exception | \ValueError $problem) {
            throw new BroadcastException($problem->getMessage(), 0, $problem);
        }
    }
}
