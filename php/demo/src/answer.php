<?php

declare(strict_types=1);

/** Escapes a text for HTML elements and attributes. */
function h(string|int $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** A number of the request, or null if it is missing or no number from 0. */
function number(array $input, string $name): ?int
{
    $number = filter_var($input[$name] ?? null, FILTER_VALIDATE_INT, ['options' => ['min_range' => 0]]);
    return $number === false ? null : $number;
}

/** A text of the request; empty if it is missing. */
function text(array $input, string $name): string
{
    return is_string($input[$name] ?? null) ? $input[$name] : '';
}

/** The data as JSON, in which an invalid character does no harm. */
function json(array $data): string
{
    return json_encode($data, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE);
}

/** Ends the request with a JSON answer. */
function answer(array $data, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    exit(json($data));
}

/** Ends the request with an error text for the user. */
function refuse(int $status, string $why): never
{
    if (!isset($_SERVER['HTTP_X_CSRF_TOKEN'])) {
        // The request came from a form, not from a script.
        http_response_code($status);
        header('Content-Type: text/plain; charset=utf-8');
        exit($why);
    }
    answer(['error' => $why], $status);
}

/** Ends the request with a redirect. */
function go(string $page): never
{
    header("Location: $page", response_code: 303);
    exit;
}

/** Prints the head of an HTML page. */
function head(string $title): void
{
    header('Content-Type: text/html; charset=utf-8');
    echo '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>', h($title), '</title>',
        '<meta name="viewport"',
        ' content="width=device-width, initial-scale=1, interactive-widget=resizes-content">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="icon.svg"><link rel="stylesheet" href="chat.css"></head>';
}
