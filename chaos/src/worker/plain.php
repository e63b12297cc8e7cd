<?php
// A worker of a chat with the default schema.
declare(strict_types=1);

require __DIR__ . '/calls.php';

/** Words that come again and again. Their messages are told apart by id and type. */
const WORDS = ['ok', 'hi'];

/** Now and then a word, for those whose clients show id and type. */
function contentOf(string $key, int $receiver): string
{
    return $receiver % 3 === 0 && mt_rand(1, 4) > 1 ? WORDS[array_rand(WORDS)] : $key;
}

$users = count($ids);
$number = 0;
/** Content and receiver of the last messages that were sent, by key. */
$sent = [];
/** The last rows with words, by receiver. */
$kept = [];

/**
 * Pushes the rows that wait, as the article's loop does. Those with words stay in memory, as in a worker that
 * lives long: what is pushed later is another message.
 */
function loop(string $key, int $receiver): void
{
    attempt($key, 'loop', $receiver, function () use ($receiver) {
        global $ids, $kept;
        $rows = getOfflineMessage($ids[$receiver], 20);
        foreach ($rows as $row) {
            pushMessage($ids[$receiver], $row['content'], 'chat');
        }
        if (array_intersect(array_column($rows, 'content'), WORDS) !== []) {
            $kept[$receiver] = $rows;
        }
        getUnreadCount($ids[$receiver]);
    });
}

while (true) {
    $receiver = mt_rand(1, $users);
    $number++;
    $dice = mt_rand(1, 100);
    if ($dice <= 5 && $sent !== []) {
        // A caller that does not know that its message is stored repeats it later: it is still one message.
        $key = array_rand($sent);
        send($key, ...$sent[$key]);
    } elseif ($dice <= 50) {
        store("$name-s-$number", $receiver);
    } elseif ($dice <= 80) {
        $key = "$name-m-$number";
        $content = contentOf($key, $receiver);
        do {
            // A caller that is not sure repeats the call with the same id: it is still one message.
            $outcome = send($key, $receiver, $content);
        } while (mt_rand(1, 5) === 1);
        if ($content !== $key && mt_rand(1, 2) === 1) {
            loop("$name-l-$number", $receiver);
        }
        if ($outcome === 'ok') {
            $sent = array_slice($sent + [$key => [$receiver, $content]], -REMEMBERED, null, true);
        }
    } elseif ($dice <= 90) {
        $key = "$name-p-$number";
        if ($kept !== [] && mt_rand(1, 3) > 1) {
            // The words of a row may come again, as a message of their own.
            $receiver = array_rand($kept);
        }
        $content = contentOf($key, $receiver);
        attempt($key, 'push', $receiver, fn () => pushMessage($ids[$receiver], $content, $key));
    } else {
        loop("$name-l-$number", $receiver);
    }
}
