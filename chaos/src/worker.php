<?php
// One PHP worker: calls the extension as an application does, and says before and after each call what it does
// and what came of it, a line each, tab-separated:
//
//   >  key  kind  receiver          about to call
//   <  key  outcome                 ok, queued, refused, unknown
//
// Arguments: name, seed, number of users.
declare(strict_types=1);

[, $name, $seed, $users] = $argv;
mt_srand((int) $seed);
$number = 0;

/** What is known after an exception. */
function outcome(Throwable $thrown): string
{
    return match (true) {
        $thrown instanceof ChatPush\UnavailableException => 'refused',
        str_contains($thrown->getMessage(), 'is queued and will be stored') => 'queued',
        str_contains($thrown->getMessage(), 'cannot be reached') && !$thrown instanceof ChatPush\TimeoutException => 'refused',
        default => 'unknown',
    };
}

function attempt(string $key, string $kind, int $receiver, callable $call): void
{
    echo ">\t$key\t$kind\t$receiver\n";
    try {
        $call();
        $outcome = 'ok';
    } catch (ChatPush\Exception $thrown) {
        $outcome = outcome($thrown);
        if ($outcome === 'refused') {
            // An outage is no reason to run in circles.
            usleep(20_000);
        }
    }
    echo "<\t$key\t$outcome\n";
}

while (true) {
    $receiver = mt_rand(1, (int) $users);
    $number++;
    $dice = mt_rand(1, 100);
    if ($dice <= 50) {
        $key = "$name-s-$number";
        attempt($key, 'store', $receiver, fn () => storeOfflineMessage(1, $receiver, $key));
    } elseif ($dice <= 80) {
        $key = "$name-m-$number";
        do {
            // Now and then the caller is not sure and calls again: it stays one message.
            attempt($key, 'send', $receiver, fn () => ChatPush\sendMessage(1, $receiver, $key, 'chat', $key));
        } while (mt_rand(1, 5) === 1);
    } elseif ($dice <= 92) {
        $key = "$name-p-$number";
        attempt($key, 'push', $receiver, fn () => pushMessage($receiver, $key, 'chat'));
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
