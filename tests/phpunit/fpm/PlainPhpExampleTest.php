<?php

declare(strict_types=1);

/** The pages of examples/plain-php, as a browser without JavaScript uses them. */
final class PlainPhpExampleTest extends ChatPushTestCase
{
    private const PASSWORD = 'long enough';

    /** The session cookie of the requests. */
    private string $cookie = '';

    public function testMessageStaysInTheInboxUntilItIsRead(): void
    {
        [$sender, $receiver] = [self::registered('plain <b>sender</b>'), self::registered('plain receiver')];
        $this->signIn("plain <b>sender</b> $sender");
        $form = $this->get('send.php');
        $message = ['to' => "plain receiver $receiver", 'text' => '<script>alert(1)</script>'];
        $message += self::hidden($form);
        self::assertStringContainsString('waits for the receiver', $this->post('send.php', $message));
        self::assertStringContainsString('Sent: ', $this->post('send.php', $message), 'the same form again');
        self::assertSame(['<script>alert(1)</script>'], self::stored($receiver));

        $this->signIn("plain receiver $receiver");
        $inbox = $this->get('inbox.php');
        self::assertStringContainsString('<span id="unread">1</span>', $inbox);
        self::assertStringContainsString('&lt;script&gt;alert(1)&lt;/script&gt;', $inbox);
        self::assertStringContainsString("plain &lt;b&gt;sender&lt;/b&gt; $sender", $inbox);
        storeOfflineMessage($sender, $receiver, 'it came in the meantime');
        $inbox = $this->post('inbox.php', self::hidden($inbox));
        self::assertStringContainsString('<span id="unread">0</span>', $inbox);
        self::assertSame(['it came in the meantime'], self::stored($receiver));
    }

    public function testConnectedUserReceivesTheMessageAtOnce(): void
    {
        [$sender, $receiver] = [self::registered('plain sender'), self::registered('plain receiver')];
        $this->signIn("plain receiver $receiver");
        $socket = new WebSocket($this->get('token.php'));
        self::assertStringContainsString(' 101 ', $socket->status);
        $socket->untilUnreadCount();
        $this->signIn("plain sender $sender");
        $form = $this->get('send.php');
        $message = ['to' => "plain receiver $receiver", 'text' => 'hello'] + self::hidden($form);
        self::assertStringContainsString('the receiver is connected', $this->post('send.php', $message));
        self::assertSame('hello', $socket->message()['data']);
    }

    public function testInvalidRequestsAreRejected(): void
    {
        $user = self::registered('plain user');
        self::assertSame([401, 'Sign in first.'], $this->request('token.php'));
        $page = $this->get('inbox.php');
        self::assertStringContainsString('<h1>Sign in</h1>', $page, 'the inbox redirects there');
        $form = ['username' => "plain user $user", 'password' => 'wrong'] + self::hidden($page);
        self::assertSame(422, $this->request('sign-in.php', $form)[0]);
        $this->signIn("plain user $user");
        $message = ['to' => "plain user $user", 'text' => 'x'] + self::hidden($this->get('send.php'));
        self::assertSame(403, $this->request('send.php', ['csrf' => 'another'] + $message)[0]);
        self::assertSame(422, $this->request('send.php', ['to' => 'nobody'] + $message)[0]);
        self::assertSame(422, $this->request('send.php', ['text' => str_repeat('x', 65_536)] + $message)[0]);
        self::assertSame(422, $this->request('inbox.php', ['seen' => ''] + $message)[0]);
        self::assertSame([], self::stored($user));
    }

    /** Creates a user with a password. The id makes the name unique. */
    private static function registered(string $name): int
    {
        $user = self::newUser();
        $hash = password_hash(self::PASSWORD, PASSWORD_BCRYPT, ['cost' => 4]);
        Stack::database()->prepare('UPDATE `user` SET `username` = ?, `password` = ? WHERE `id` = ?')
            ->execute(["$name $user", $hash, $user]);
        return $user;
    }

    private function signIn(string $name): void
    {
        $this->cookie = '';
        $form = ['username' => $name, 'password' => self::PASSWORD] + self::hidden($this->get('sign-in.php'));
        self::assertStringContainsString('<h1>Inbox of ', $this->post('sign-in.php', $form));
    }

    private function get(string $page): string
    {
        [$status, $body] = $this->request($page);
        self::assertSame(200, $status, $body);
        return $body;
    }

    private function post(string $page, array $fields): string
    {
        [$status, $body] = $this->request($page, $fields);
        self::assertSame(200, $status, $body);
        return $body;
    }

    /** Sends a request and follows redirects. Returns the status and the body. */
    private function request(string $page, ?array $fields = null): array
    {
        $context = stream_context_create(['http' => [
            'method' => $fields === null ? 'GET' : 'POST',
            'header' => ["Cookie: $this->cookie", 'Content-Type: application/x-www-form-urlencoded'],
            'content' => http_build_query($fields ?? []),
            'follow_location' => 0,
            'ignore_errors' => true,
            'timeout' => 20,
        ]]);
        $body = file_get_contents(Stack::httpUrl() . "/examples/plain-php/$page", false, $context);
        $next = null;
        foreach ($http_response_header as $line) {
            if (preg_match('/^Set-Cookie: ([^;]+)/i', $line, $found) === 1) {
                $this->cookie = $found[1];
            } elseif (preg_match('/^Location: (.+)$/i', $line, $found) === 1) {
                $next = $found[1];
            }
        }
        if ($next !== null) {
            return $this->request($next);
        }
        return [(int) explode(' ', $http_response_header[0])[1], $body];
    }

    /** The hidden fields of the form on a page. */
    private static function hidden(string $page): array
    {
        preg_match_all('/<input type="hidden" name="(\w+)" value="([^"]*)">/', $page, $found);
        return array_combine($found[1], $found[2]);
    }
}
