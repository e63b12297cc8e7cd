<?php
// What all PHP workers share: they call the extension as an application does, and print a line before and
// after each call, separated by tabs:
//
//   >   key  operation  receivers  conversation  sender   about to send, to one or several, with commas
//   <   key  outcome                                      ok, queued, refused, rejected (by MySQL) or unknown
//   <   key  receiver=outcome,…                           the same for several receivers
//   R>  key  receiver                                     about to recall
//   R<  key  receiver  outcome                            true, false, queued, refused or unknown
//   C>  user  conversation                                about to clear; no conversation: all of them
//   C<  user  conversation  outcome                       ok, queued, refused or unknown
//   U>                                                    about to count what is unread
//   U<  outcome                                           a number, or unknown
//   !   text                                              what no call may do
//
// Users are numbered from 1. The argument is JSON: name, seed, ids (of the users, in order), sender.
declare(strict_types=1);

const REMEMBERED = 50;

$config = json_decode($argv[1], true, flags: JSON_THROW_ON_ERROR);
['name' => $name, 'seed' => $seed, 'ids' => $ids, 'sender' => $sender] = $config;
array_unshift($ids, null);
unset($ids[0]);
mt_srand($seed);

set_exception_handler(function (Throwable $thrown): void {
    echo "!\t", get_class($thrown), ': ', strtr($thrown->getMessage(), "\t\n", '  '), "\n";
});

/** What the exception says of the call's effect. */
function outcome(ChatPush\Exception $thrown): string
{
    return match ($thrown->getOutcome()) {
        ChatPush\Outcome::Queued => 'queued',
        ChatPush\Outcome::Unknown => 'unknown',
        ChatPush\Outcome::NotQueued =>
            str_contains($thrown->getMessage(), 'MySQL refused the message') ? 'rejected' : 'refused',
    };
}

/** The warning of the last call, with `chatpush.errors=warning`. */
$warning = null;
set_error_handler(function (int $level, string $text): bool {
    if ($level !== E_WARNING || !str_starts_with($text, 'chatpush: ')) {
        return false;
    }
    $GLOBALS['warning'] = $text;
    return true;
});

/** What a warning says of the call's effect. What is queued must not look like a failure. */
function outcomeOfWarning(string $warning, mixed $returned): string
{
    if (str_contains($warning, 'is queued and will be')) {
        if ($returned === false || $returned === null) {
            echo "!\tqueued, but it looks like a failure: ", strtr($warning, "\t\n", '  '), "\n";
        }
        return 'queued';
    }
    return match (true) {
        str_contains($warning, 'MySQL refused the message') => 'rejected',
        str_contains($warning, 'nothing was queued') => 'refused',
        default => 'unknown',
    };
}

/**
 * Makes a call between two lines, of which the second ends with its outcome: what `$result` makes of the
 * returned value, or what the exception says.
 */
function report(string $before, string $after, callable $call, callable $result): string
{
    echo $before, "\n";
    try {
        $GLOBALS['warning'] = null;
        $returned = $call();
        $warning = $GLOBALS['warning'];
        $outcome = $warning === null ? $result($returned) : outcomeOfWarning($warning, $returned);
    } catch (ChatPush\Exception $thrown) {
        $outcome = outcome($thrown);
    }
    echo $after, "\t", $outcome, "\n";
    if ($outcome === 'refused') {
        // Do not call in a tight loop during an outage.
        usleep(20_000);
    }
    return $outcome;
}

/** A call about a message. */
function attempt(
    string $key,
    string $operation,
    int $receiver,
    callable $call,
    ?string $conversation = null,
): string {
    $before = implode("\t", ['>', $key, $operation, $receiver, $conversation, $GLOBALS['sender']]);
    return report($before, "<\t$key", $call, fn () => 'ok');
}

/** Stores a message that has no id. Only what is not queued may be repeated. */
function store(string $key, int $receiver): void
{
    $call = fn () => storeOfflineMessage($GLOBALS['sender'], $GLOBALS['ids'][$receiver], $key);
    for ($try = 0; $try < 3 && attempt($key, 'store', $receiver, $call) === 'refused'; $try++);
}

function send(string $key, int $receiver, ?string $content = null, ?string $conversation = null): string
{
    global $sender, $ids;
    $content ??= $key;
    $call = fn () => ChatPush\sendMessage($sender, $ids[$receiver], $content, $key, $key, $conversation);
    return attempt($key, 'send', $receiver, $call, $conversation);
}
