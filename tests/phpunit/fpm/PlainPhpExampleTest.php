<?php

declare(strict_types=1);

/** The pages of examples/plain-php, as a browser without JavaScript uses them. */
final class PlainPhpExampleTest extends ChatPushTestCase
{
    use ExamplePages;

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
}
