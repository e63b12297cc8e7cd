<?php

declare(strict_types=1);

/** What reflection and phpinfo() show of the extension. */
final class ReflectionTest extends ChatPushTestCase
{
    private const SIGNATURES = [
        'pushMessage' => 'string|int $receiver_id, string $content, string|int $type, '
            . '?string $message_id = NULL: bool',
        'storeOfflineMessage' => 'string|int $sender_id, string|int $receiver_id, string $content: bool',
        'getOfflineMessage' => 'string|int $user_id, int $limit = 1000, int $after_id = 0: array',
        'getUnreadCount' => 'string|int $user_id: int',
        'ChatPush\sendMessage' => 'string|int $sender_id, string|int $receiver_id, string $content, '
            . 'string|int $type = \'text\', ?string $message_id = NULL, string|int|null $conversation = NULL: '
            . '?ChatPush\Delivery',
        'ChatPush\isOnline' => 'string|int $user_id: bool',
        'ChatPush\pushToUsers' => 'array $receiver_ids, string $content, string|int $type: array',
        'ChatPush\sendToUsers' => 'string|int $sender_id, array $receiver_ids, string $content, '
            . 'string|int $type = \'text\', ?string $message_id = NULL, string|int|null $conversation = NULL: array',
        'ChatPush\getOnlineUsers' => 'array $user_ids: array',
        'ChatPush\disconnectUser' => 'string|int $user_id: bool',
        'ChatPush\getUnreadCounts' => 'string|int $user_id: array',
        'ChatPush\clearUnreadCount' => 'string|int $user_id, string|int|null $conversation = NULL: void',
        'ChatPush\ackOfflineMessage' => 'string|int $user_id, array $ids: int',
        'ChatPush\forgetUser' => 'string|int $user_id: void',
        'ChatPush\recallMessage' => 'string|int $sender_id, string|int $receiver_id, string $message_id: bool',
        'ChatPush\getDueNotifications' => 'int $limit = 100, int $lease_seconds = 60: array',
        'ChatPush\markNotified' => 'array $user_ids: int',
        'ChatPush\savePushSubscription' => 'string|int $user_id, string $subscription_json: void',
        'ChatPush\removePushSubscription' => 'string|int $user_id, string $endpoint: bool',
        'ChatPush\pushToRoom' => 'string|int $room, string $content, string|int $type: bool',
        'ChatPush\getRoomUsers' => 'string|int $room: array',
        'ChatPush\pushToAll' => 'string $content, string|int $type: bool',
        'ChatPush\connectToken' => 'string|int $user_id, int $ttl_seconds = 3600: string',
        'ChatPush\grantToken' => 'string|int $user_id, array $peers = [], array $rooms = [], '
            . 'int $ttl_seconds = 3600: string',
    ];

    public function testSignatures(): void
    {
        foreach (self::SIGNATURES as $name => $signature) {
            self::assertSame($signature, self::signature($name), $name);
            if (!str_contains($name, '\\')) {
                self::assertSame($signature, self::signature("ChatPush\\$name"));
            }
        }
    }

    public function testOnlyFourFunctionsAreGlobal(): void
    {
        $global = array_filter(
            array_keys((new ReflectionExtension('chatpush'))->getFunctions()),
            fn ($name) => !str_contains($name, '\\'),
        );
        sort($global);
        self::assertSame(
            ['getOfflineMessage', 'getUnreadCount', 'pushMessage', 'storeOfflineMessage'],
            $global,
        );
    }

    public function testExceptionHierarchy(): void
    {
        self::assertSame('RuntimeException', get_parent_class(ChatPush\Exception::class));
        foreach (['Connection', 'Unavailable', 'Timeout', 'Partial'] as $name) {
            self::assertSame(ChatPush\Exception::class, get_parent_class("ChatPush\\{$name}Exception"));
        }
    }

    public function testMethodsOfExceptions(): void
    {
        $types = ['isRetryable' => 'bool', 'getOutcome' => 'ChatPush\Outcome'];
        foreach ($types as $name => $type) {
            $method = new ReflectionMethod(ChatPush\TimeoutException::class, $name);
            self::assertSame([true, 0], [$method->isPublic(), $method->getNumberOfParameters()]);
            self::assertSame($type, (string) $method->getReturnType());
        }
    }

    public function testPartialExceptionHasEmptyListsIfTheApplicationMadeIt(): void
    {
        $own = new ChatPush\PartialException('mine');
        self::assertSame([[], []], [$own->getDeliveries(), $own->getOutcomes()]);
        self::assertSame([ChatPush\Outcome::Unknown, false], [$own->getOutcome(), $own->isRetryable()]);
        foreach (['getDeliveries', 'getOutcomes'] as $name) {
            $method = new ReflectionMethod(ChatPush\PartialException::class, $name);
            self::assertSame(['array', 0], [(string) $method->getReturnType(), $method->getNumberOfParameters()]);
        }
    }

    public function testEnums(): void
    {
        self::assertSame(['Live', 'Stored'], array_column(ChatPush\Delivery::cases(), 'name'));
        self::assertSame(['NotQueued', 'Queued', 'Unknown'], array_column(ChatPush\Outcome::cases(), 'name'));
    }

    public function testInformationMasksSecrets(): void
    {
        $settings = [
            'chatpush.secret' => str_repeat('s3cr3t', 8),
            'chatpush.redis_url' => 'redis://me:pa55@127.0.0.1:1/2',
        ];
        foreach ([['', '--ri', 'chatpush'], ['phpinfo();']] as $arguments) {
            $output = (new Script($arguments[0], $settings, ...array_slice($arguments, 1)))->output;
            self::assertMatchesRegularExpression('/^version => \d+\.\d+\.\d+$/m', $output);
            self::assertMatchesRegularExpression('/^connection => none$/m', $output);
            self::assertMatchesRegularExpression('/^chatpush\.secret => set \(48 bytes\)$/m', $output);
            self::assertStringContainsString('chatpush.timeout_ms => 2000', $output);
            self::assertStringNotContainsString('s3cr3t', $output);
            self::assertStringNotContainsString('pa55', $output);
        }
    }

    private static function signature(string $name): string
    {
        $function = new ReflectionFunction($name);
        $parameters = array_map(function (ReflectionParameter $parameter) {
            $default = '';
            if ($parameter->isDefaultValueAvailable()) {
                $value = $parameter->getDefaultValue();
                $default = ' = ' . ($value === [] ? '[]' : var_export($value, true));
            }
            return "{$parameter->getType()} \${$parameter->getName()}$default";
        }, $function->getParameters());
        return implode(', ', $parameters) . ": {$function->getReturnType()}";
    }
}
