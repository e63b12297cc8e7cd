<?php
declare(strict_types=1);

/** The memory of a PHP process does not grow with the number of receivers times the length of the content. */
final class ListMemoryTest extends ChatPushTestCase
{
    /** Each byte of it has six in JSON, and each call of the script repeats it. */
    private const CONTENT = 'str_repeat("\x01", 65_535)';

    public function testSendToUsers(): void
    {
        // Written once for all receivers, the calls would have 135 MB.
        $sent = 'ChatPush\sendToUsers(1, range(1, 3_000), ' . self::CONTENT . ')';
        [$count, $php, $process] = self::peaks("count($sent)");
        self::assertSame(3_000, $count);
        self::assertLessThan(8 << 20, $php, 'bytes that PHP counts');
        self::assertLessThan(24 << 10, $process, 'KiB of the process');
    }

    public function testPushToUsers(): void
    {
        $pushed = 'ChatPush\pushToUsers(range(1, 3_000), ' . self::CONTENT . ', "text")';
        [$count, $php, $process] = self::peaks("count($pushed)");
        self::assertSame(0, $count, 'nobody is connected');
        self::assertLessThan(8 << 20, $php, 'bytes that PHP counts');
        self::assertLessThan(24 << 10, $process, 'KiB of the process');
    }

    /**
     * Evaluates an expression in a process of its own, with a Redis that no daemon serves. Returns its value, and by
     * how much the peaks grew: PHP's own, and the resident memory of the process (VmHWM in proc(5)) in KiB.
     */
    private static function peaks(string $expression): array
    {
        $redis = new RedisServer();
        $code = <<<PHP
            \$resident = fn () => (int) explode(':', current(preg_grep('/^VmHWM/', file('/proc/self/status'))))[1];
            ChatPush\isOnline(1);
            [\$php, \$process] = [memory_get_peak_usage(), \$resident()];
            \$value = $expression;
            echo json_encode([\$value, memory_get_peak_usage() - \$php, \$resident() - \$process]);
            PHP;
        $script = new Script($code, [
            'chatpush.redis_url' => $redis->url(),
            'chatpush.prefix' => Stack::prefix(),
            'chatpush.durability' => 'queued',
            'chatpush.timeout_ms' => '60000',
        ]);
        $redis->stop();
        return json_decode($script->output, flags: JSON_THROW_ON_ERROR);
    }
}
