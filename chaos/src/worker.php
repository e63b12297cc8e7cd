<?php

// One PHP worker: calls the extension as an application does, and prints a line before and after each call,
// separated by tabs:
//
//   >  key  operation  receiver     about to call
//   <  key  outcome                 ok, queued, refused, rejected (by MySQL) or unknown
//
// The type of a message is its key, where the operation has one; the loop pushes rows with the type "chat".
//
// Arguments: name, seed, number of users. Or name, 0, user, "poison": sends one message, which MySQL refuses.
declare(strict_types=1);

const REMEMBERED = 50;

[, $name, $seed, $users] = $argv;
mt_srand((int) $seed);
$number = 0;
/** The receivers of the last messages that were sent, by key. */
$sent = [];

/** Whether the message of a failed call is stored, by the exception. */
function outcome(Throwable $thrown): string
{
    return match (true) {
        $thrown instanceof ChatPush\UnavailableException => 'refused',
        str_contains($thrown->getMessage(), 'MySQL refused the message') => 'rejected',
        str_contains($thrown->getMessage(), 'is queued and will be stored') => 'queued',
        $thrown instanceof ChatPush\TimeoutException => 'unknown',
        str_contains($thrown->getMessage(), 'nothing was queued') => 'refused',
        default => 'unknown',
    };
}

/** Makes a call, prints it, and returns its outcome. */
function attempt(string $key, string $operation, int $receiver, callable $call): string
{
    echo ">\t$key\t$operation\t$receiver\n";
    try {
        $call();
        $outcome = 'ok';
    } catch (ChatPush\Exception $thrown) {
        $outcome = outcome($thrown);
        if ($outcome === 'refused') {
            // Do not call in a tight loop during an outage.
            usleep(20_000);
        }
    }
    echo "<\t$key\t$outcome\n";
    return $outcome;
}

function send(string $key, int $receiver): string
{
    return attempt($key, 'send', $receiver, fn () => ChatPush\sendMessage(1, $receiver, $key, $key, $key));
}

if (($argv[4] ?? '') === 'poison') {
    $key = "$name-s-1-poison";
    attempt($key, 'store', (int) $users, fn () => storeOfflineMessage(1, (int) $users, $key));
    exit;
}

while (true) {
    $receiver = mt_rand(1, (int) $users);
    $number++;
    $dice = mt_rand(1, 100);
    if ($dice <= 5 && $sent !== []) {
        // A caller that does not know that its message is stored repeats it later: it is still one message.
        $key = array_rand($sent);
        send($key, $sent[$key]);
    } elseif ($dice <= 50) {
        $key = "$name-s-$number";
        attempt($key, 'store', $receiver, fn () => storeOfflineMessage(1, $receiver, $key));
    } elseif ($dice <= 80) {
        $key = "$name-m-$number";
        do {
            // A caller that is not sure repeats the call with the same id: it is still one message.
            $outcome = send($key, $receiver);
        } while (mt_rand(1, 5) === 1);
        if ($outcome === 'ok') {
            $sent = array_slice($sent + [$key => $receiver], -REMEMBERED, null, true);
        }
    } elseif ($dice <= 92) {
        $key = "$name-p-$number";
        attempt($key, 'push', $receiver, fn () => pushMessage($receiver, $key, $key));
    } else {
        $key = "$name-l-$number";
        attempt($key, 'loop', $receiver, function () use ($receiver) {
            foreach (getOfflineMessage($receiver, 20) as $row) {
                pushMessage($receiver, $row['content'], 'chat');
            }
            getUnreadCount($receiver);
        });
    }
}
