<?php
// A worker of a chat with groups and conversations. Its conversations are its own: nobody else counts or
// clears them, so that the checker knows what each counts.
declare(strict_types=1);

require __DIR__ . '/calls.php';

const GROUP = 50;
/** Of every so many users one has everything cleared at once. */
const CLEARED = 5;

$users = count($ids);
$numbers = array_flip(array_map(strval(...), $ids));
$number = 0;
/** Key, receiver and conversation of the last messages; the same of the last groups, with all receivers. */
$sent = [];
$groups = [];

function remember(array &$list, array $message): void
{
    $list[] = $message;
    if (count($list) > REMEMBERED) {
        array_shift($list);
    }
}

/** Sends to many, and completes what was missing with the same id. Returns whether nobody is missing. */
function sendToGroup(string $key, array $receivers, string $conversation): bool
{
    global $sender, $ids, $numbers;
    $to = array_map(fn ($receiver) => $ids[$receiver], $receivers);
    $before = implode("\t", ['>', $key, 'group', implode(',', $receivers), $conversation, $sender]);
    $each = fn (array $outcomes) => implode(',', array_map(
        fn ($id, $outcome) => $numbers[(string) $id] . '=' . $outcome,
        array_keys($outcomes),
        $outcomes,
    ));
    for ($try = 0; $try < 5; $try++) {
        $missing = true;
        report($before, "<\t$key", function () use ($sender, $to, $key, $conversation, &$missing) {
            try {
                $deliveries = ChatPush\sendToUsers($sender, $to, $key, $key, $key, $conversation);
                $missing = false;
                return array_map(fn () => 'ok', $deliveries);
            } catch (ChatPush\PartialException $thrown) {
                $others = array_map(fn ($outcome) => match ($outcome) {
                    ChatPush\Outcome::Queued => 'queued',
                    ChatPush\Outcome::Unknown => 'unknown',
                    ChatPush\Outcome::NotQueued => 'refused',
                }, $thrown->getOutcomes());
                return array_map(fn () => 'ok', $thrown->getDeliveries()) + $others;
            }
        }, $each);
        if (!$missing && mt_rand(1, 8) > 1) {
            break;
        }
    }
    return !$missing;
}

while (true) {
    $receiver = mt_rand(1, $users);
    $number++;
    $dice = mt_rand(1, 100);
    $conversation = "$name." . mt_rand(1, 3);
    if ($dice <= 5 && $sent !== []) {
        // Also one that was taken back: it stays so.
        send($sent[$i = array_rand($sent)][0], $sent[$i][1], null, $sent[$i][2]);
    } elseif ($dice <= 8 && $groups !== []) {
        sendToGroup(...$groups[array_rand($groups)]);
    } elseif ($dice <= 20) {
        store("$name-s-$number", $receiver);
    } elseif ($dice <= 50) {
        $key = "$name-m-$number";
        $in = mt_rand(1, 4) === 1 ? null : $conversation;
        do {
            $outcome = send($key, $receiver, null, $in);
        } while (mt_rand(1, 5) === 1);
        // What is only queued may be lost with Redis's tail. Sent again later, it follows others.
        if ($outcome === 'ok') {
            remember($sent, [$key, $receiver, $in]);
        }
    } elseif ($dice <= 58) {
        $receivers = (array) array_rand($ids, min(GROUP, $users));
        shuffle($receivers);
        $group = ["$name-g-$number", $receivers, $conversation];
        if (sendToGroup(...$group)) {
            remember($groups, $group);
        }
    } elseif ($dice <= 72 && $sent !== []) {
        // Mostly one of the last ones, which may be unconfirmed yet.
        $last = count($sent) - 1;
        [$key, $receiver] = $sent[mt_rand(1, 4) === 1 ? mt_rand(0, $last) : max(0, $last - mt_rand(0, 2))];
        report(
            "R>\t$key\t$receiver",
            "R<\t$key\t$receiver",
            fn () => ChatPush\recallMessage($sender, $ids[$receiver], $key),
            fn (bool $taken) => $taken ? 'true' : 'false',
        );
    } elseif ($dice <= 82) {
        // Mostly where there is something to clear.
        $part = mt_rand(1, 4) === 1 ? (string) $sender : $conversation;
        if ($sent !== [] && mt_rand(1, 4) > 1) {
            [, $receiver, $in] = $sent[array_rand($sent)];
            $part = $in ?? (string) $sender;
        }
        $all = $receiver % CLEARED === 0 && mt_rand(1, 4) === 1;
        report(
            "C>\t$receiver\t" . ($all ? '' : $part),
            "C<\t$receiver\t" . ($all ? '' : $part),
            fn () => ChatPush\clearUnreadCount($ids[$receiver], $all ? null : $part),
            fn () => 'ok',
        );
    } elseif ($dice <= 88) {
        $key = "$name-p-$number";
        attempt($key, 'push', $receiver, fn () => pushMessage($ids[$receiver], $key, $key));
    } else {
        $key = "$name-l-$number";
        attempt($key, 'loop', $receiver, function () use ($receiver, $ids) {
            foreach (getOfflineMessage($ids[$receiver], 20) as $row) {
                // As a page that shows the content in another form.
                pushMessage($ids[$receiver], substr("$row[content] ", 0, -1), 'chat', $row['message_id']);
            }
            ChatPush\getUnreadCounts($ids[$receiver]);
        });
    }
}
