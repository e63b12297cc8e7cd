<?php

/**
 * Customer service: guests without an account write to the staff on duty.
 */

declare(strict_types=1);

/**
 * The id of whoever has this session: a member of the staff who is signed in, or a guest.
 *
 * Call it before session_write_close(): an id that is made later is lost, and the next request is another guest.
 * A guest's id is random, since whoever knows it could be sent their messages by a mistake of yours.
 */
function visitor_id(): string
{
    return $_SESSION['visitor'] ??= 'guest.' . bin2hex(random_bytes(8));
}

/** Starts or resumes the session of a visitor. */
function start_visit(): void
{
    session_name('support');
    session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'use_strict_mode' => true]);
}

/** Whether this is a member of the staff. Only sign-in.php makes somebody one. */
function is_staff(): bool
{
    return str_starts_with(visitor_id(), 'staff.');
}

/** A member of the staff who is there; the first one if nobody is. */
function on_duty(): string
{
    $staff = ['staff.mira', 'staff.tom'];
    return ChatPush\getOnlineUsers($staff)[0] ?? $staff[0];
}

/** Sends a guest's question to a member of the staff. The conversation is the guest. */
function ask(string $staff, string $text, string $message_id): void
{
    ChatPush\sendMessage(visitor_id(), $staff, $text, 'chat', $message_id, conversation: visitor_id());
}

/** Sends an answer. A guest who is away gets it when they come back with the same session. */
function answer(string $guest, string $text, string $message_id): void
{
    ChatPush\sendMessage(visitor_id(), $guest, $text, 'chat', $message_id, conversation: $guest);
}
