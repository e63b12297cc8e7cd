<?php
declare(strict_types=1);

/** Text for HTML, in an element or an attribute. */
function h(string|int $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** Ends the page with an answer for a script. */
function answer(array $data, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    exit(json_encode($data, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE));
}

/** Ends the page with what is wrong, in words for the person in front of it. */
function refuse(int $status, string $why): never
{
    if (!isset($_SERVER['HTTP_X_CSRF_TOKEN'])) {
        // It was a form and not a script that asked.
        http_response_code($status);
        header('Content-Type: text/plain; charset=utf-8');
        exit($why);
    }
    answer(['error' => $why], $status);
}

/** Ends the page and shows another. */
function go(string $page): never
{
    header("Location: $page", response_code: 303);
    exit;
}

/** The beginning of every HTML page. */
function head(string $title): void
{
    header('Content-Type: text/html; charset=utf-8');
    echo '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>', h($title), '</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="icon.svg"><link rel="stylesheet" href="chat.css"></head>';
}
