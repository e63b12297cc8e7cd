<?php

declare(strict_types=1);

/** The pages of examples over HTTP, with the session of one user at a time. */
trait ExamplePages
{
    /** The session cookie of the requests. */
    private string $cookie = '';

    private static function password(): string
    {
        return 'long enough';
    }

    /** Creates a user with a password. The id makes the name unique. */
    private static function registered(string $name): int
    {
        $user = self::newUser();
        $hash = password_hash(self::password(), PASSWORD_BCRYPT, ['cost' => 4]);
        Stack::database()->prepare('UPDATE `user` SET `username` = ?, `password` = ? WHERE `id` = ?')
            ->execute(["$name $user", $hash, $user]);
        return $user;
    }

    private function signIn(string $name): void
    {
        $this->cookie = '';
        $form = ['username' => $name, 'password' => self::password()];
        $form += self::hidden($this->get('sign-in.php'));
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

    /** Sends what a page hands to a stand-in for its socket. Returns the status and the body. */
    private function event(string $page, string $data): array
    {
        return $this->request($page, $data, ['X-Requested-With: fetch']);
    }

    /**
     * Sends a request and follows redirects. Returns the status and the body.
     *
     * @param string $page of plain-php, or of another example as `../example/page.php`
     * @param array<string, string>|string|null $fields of a form, or a body; null: a GET request
     */
    private function request(string $page, array|string|null $fields = null, array $headers = []): array
    {
        $type = is_array($fields) ? 'application/x-www-form-urlencoded' : 'application/json';
        $context = stream_context_create(['http' => [
            'method' => $fields === null ? 'GET' : 'POST',
            'header' => ["Cookie: $this->cookie", "Content-Type: $type", ...$headers],
            'content' => is_array($fields) ? http_build_query($fields) : (string) $fields,
            'follow_location' => 0,
            'ignore_errors' => true,
            'timeout' => 20,
        ]]);
        $path = str_starts_with($page, '../') ? substr($page, 3) : "plain-php/$page";
        $body = file_get_contents(Stack::httpUrl() . "/examples/$path", false, $context);
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
