<?php

declare(strict_types=1);

/** The bytes that PHP sends, compared with the golden files that the Rust tests read too. */
final class GoldenTest extends ChatPushTestCase
{
    public function testPushMatchesTheGoldenFile(): void
    {
        foreach (self::lines('pushed') as $line) {
            $prefix = self::unservedPrefix();
            $subscriber = new RedisConnection(Stack::redisUrl());
            $subscriber->subscribe(self::channel($prefix, $line['receiver']));
            $before = self::milliseconds();
            self::assertTrue(pushMessage($line['receiver'], $line['content'], $line['type']));
            self::assertMessage($line['channel'], $subscriber->message(), $before);
        }
    }

    public function testStoreMatchesTheGoldenFile(): void
    {
        ini_set('chatpush.durability', 'queued');
        foreach (self::lines('stored') as $line) {
            $prefix = self::unservedPrefix();
            $subscriber = new RedisConnection(Stack::redisUrl());
            $subscriber->subscribe(self::channel($prefix, $line['receiver']));
            $before = self::milliseconds();
            self::assertTrue(storeOfflineMessage($line['sender'], $line['receiver'], $line['content']));
            $id = self::assertMessage($line['channel'], $subscriber->message(), $before);

            $log = self::log($prefix, $line['receiver']);
            [[$entry, $fields]] = Stack::redis()->call('XRANGE', $log, '-', '+');
            // The Lua script appends whether the receiver was online and, as no daemon is there, Redis's run id.
            preg_match('/run_id:(\w+)/', Stack::redis()->call('INFO', 'server'), $run);
            $golden = array_merge(str_replace('<id>', $id, $line['entry']), ['l', '1', 'u', $run[1]]);
            self::assertSame($golden, $fields);
            Stack::redis()->call(
                'DEL',
                $log,
                "$prefix:{" . self::tag($line['receiver']) . "}:seen:{$line['receiver']}:$id",
            );
            $left = Stack::redis()->call('KEYS', "$prefix:*");
            self::assertSame(["$prefix:installation"], $left, 'no other key is left');
        }
    }

    public function testTokensMatchTheGoldenFiles(): void
    {
        $connect = 'echo ChatPush\connectToken($line->user, $line->ttl);';
        $grant = 'echo ChatPush\grantToken($line->user, $line->peers, $line->rooms, $line->ttl);';
        $lines = [
            ...array_map(fn (array $line) => [$connect, $line], self::lines('tokens')),
            ...array_map(fn (array $line) => [$grant, $line], self::lines('grants')),
        ];
        foreach ($lines as [$code, $line]) {
            $settings = ['chatpush.secret' => $line['secret']];
            $token = (new Script("\$line = json_decode(\$argv[1]); $code", $settings, json_encode($line)))->output;
            [$header, $claims, $signature] = explode('.', $token);
            [$goldenHeader, $goldenClaims] = explode('.', $line['token']);
            self::assertSame($goldenHeader, $header);
            $decoded = json_decode(base64_decode(strtr($claims, '-_', '+/')), true);
            self::assertEqualsWithDelta(time(), $decoded['iat'], 60);
            // Except for the times, the claims are those of the file, byte for byte.
            $golden = strtr(base64_decode(strtr($goldenClaims, '-_', '+/')), [
                $line['now'] + $line['ttl'] => $decoded['iat'] + $line['ttl'],
                $line['now'] => $decoded['iat'],
            ]);
            self::assertSame($golden, base64_decode(strtr($claims, '-_', '+/')));
            $mac = hash_hmac('sha256', "$header.$claims", $line['secret'], true);
            self::assertSame(rtrim(strtr(base64_encode($mac), '+/', '-_'), '='), $signature);
        }
    }

    private static function assertMessage(string $golden, string $message, int $before): string
    {
        preg_match('/"id":"([^"]+)"/', $message, $id);
        preg_match('/"time":(\d+)}$/', $message, $time);
        self::assertMatchesRegularExpression('/^[\x21-\x7E]{1,64}$/', $id[1]);
        self::assertEqualsWithDelta($before, (int) $time[1], 60_000);
        self::assertSame(str_replace(['<id>', '<time>'], [$id[1], $time[1]], $golden), $message);
        return $id[1];
    }

    private static function milliseconds(): int
    {
        return (int) (microtime(true) * 1000);
    }

    private static function lines(string $name): array
    {
        return json_decode(
            file_get_contents(__DIR__ . "/../../golden/$name.json"),
            true,
            512,
            JSON_THROW_ON_ERROR,
        );
    }
}
