//! Calls for many receivers whose connection to Redis breaks in the middle.

use std::collections::HashSet;
use std::path::PathBuf;

use chatpush_stack::redis;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The calls of a script, as they travel.
const CALL: &[u8] = b"\r\nEVALSHA\r\n";

/// A path to Redis that breaks: it forwards as many script calls as `calls`, and their answers until `answer` was
/// seen as often; then it closes the connection. It forwards later connections only if `returns`.
fn breaking_path(env: &TestEnv, calls: usize, answer: &'static [u8], returns: bool) -> BreakingPath {
    let socket = env.servers().folder().join(format!("{}.sock", env.name()));
    let listener = UnixListener::bind(&socket).expect("it listens");
    let upstream = redis::socket(env.servers().folder());
    let to = upstream.clone();
    let broken = tokio::spawn(async move {
        let (near, _) = listener.accept().await.expect("PHP connects");
        forward(near, UnixStream::connect(&to).await.expect("Redis listens"), calls, answer).await;
        if !returns {
            return;
        }
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = UnixStream::connect(&to).await.expect("Redis listens");
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    BreakingPath { socket, broken }
}

struct BreakingPath {
    socket: PathBuf,
    broken: JoinHandle<()>,
}

impl Drop for BreakingPath {
    fn drop(&mut self) {
        self.broken.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn forward(mut near: UnixStream, mut far: UnixStream, calls: usize, answer: &[u8]) {
    let (mut sent, mut forwarded, mut answered) = (Vec::new(), 0, Vec::new());
    while count(&answered, answer) < calls {
        tokio::select! {
            read = near.read_buf(&mut sent) => {
                assert_ne!(read.expect("PHP writes"), 0);
                // The call after the last one begins with the number of its parts, in the line before its name.
                let end = match nth(&sent, CALL, calls) {
                    Some(next) => sent[..next].iter().rposition(|byte| *byte == b'*').expect("it is a command"),
                    None => sent.len(),
                };
                if end > forwarded {
                    far.write_all(&sent[forwarded..end]).await.expect("Redis reads");
                    forwarded = end;
                }
            }
            read = far.read_buf(&mut answered) => {
                let read = read.expect("Redis writes");
                near.write_all(&answered[answered.len() - read..]).await.expect("PHP reads");
            }
        }
    }
    assert!(nth(&sent, CALL, calls).is_some(), "there are more calls than that");
}

/// How often the answer was seen. Redis 8 has an empty string in its answer to HELLO, which is none: the path of a module.
fn count(bytes: &[u8], answer: &[u8]) -> usize {
    let places = bytes.windows(answer.len()).enumerate().filter(|(_, window)| *window == answer);
    places.filter(|(at, _)| !bytes[..*at].ends_with(b"\r\npath\r\n")).count()
}

/// Where the part begins for the `n`-th time, counted from 0.
fn nth(bytes: &[u8], part: &[u8], n: usize) -> Option<usize> {
    bytes.windows(part.len()).enumerate().filter(|(_, window)| *window == part).map(|(at, _)| at).nth(n)
}

const SEND: &str = "function send() {
        return ChatPush\\sendToUsers(1, [70, 5, 6, 4, 3, 2], 'to six', message_id: 'six');
    }";

/// Of five partitions the first three were called: 2, 3, 4. What became of the others is not known.
#[tokio::test]
async fn who_was_answered_before_the_connection_broke_is_known() {
    // The script's answer has no error; a daemon's says what became of each.
    for (durability, answer) in [("queued", &b"$0\r\n\r\n"[..]), ("committed", &b"{\"each\""[..])] {
        let env = TestEnv::new().await;
        env.users(&[2, 3, 4, 5, 6, 70]).await;
        let _daemon = env.daemon().await;
        let path = breaking_path(&env, 3, answer, false);
        let code = format!(
            "{SEND} try {{ send(); }} catch (ChatPush\\PartialException $e) {{
                echo implode(' ', array_keys($e->getDeliveries())), ' | ';
                foreach ($e->getOutcomes() as $id => $outcome) echo \"$id $outcome->value, \";
                echo $e->getOutcome()->value, var_export($e->isRetryable(), true), ' ', $e->getMessage();
            }}"
        );
        let broken = format!("chatpush.redis_url={}", redis::url(&path.socket));
        let durable = format!("chatpush.durability={durability}");
        let php = env.php().with(&broken).with(&durable).with("chatpush.timeout_ms=4000");
        let text = php.get(&code).await;
        let known = "4 3 2 | 70 unknown, 5 unknown, 6 unknown, unknowntrue 3 of 6 receivers failed";
        assert!(text.starts_with(known), "{durability}: {text}");

        let repeated = env.php().get(&format!("{SEND} echo implode(' ', array_keys(send()));")).await;
        assert_eq!(repeated, "70 5 6 4 3 2");
        for user in [2, 3, 4, 5, 6, 70] {
            assert_eq!((env.stored(user).await, env.unread(user).await), (vec!["to six".to_owned()], 1));
        }
    }
}

/// The call goes on over another connection, and nothing is stored twice.
#[tokio::test]
async fn send_goes_on_over_another_connection() {
    let env = TestEnv::new().await;
    env.users(&[2, 3, 4, 5, 6, 70]).await;
    let daemon = env.daemon().await;
    let (mut first, mut last) = (daemon.connect(2).await, daemon.connect(70).await);
    first.until_unread_count().await;
    last.until_unread_count().await;
    let path = breaking_path(&env, 1, b"$0\r\n\r\n", true);
    let php = env.php().with(&format!("chatpush.redis_url={}", redis::url(&path.socket)));
    let code = format!("{SEND} foreach (send() as $id => $delivery) echo \"$id $delivery->value, \";");
    assert_eq!(php.get(&code).await, "70 live, 5 stored, 6 stored, 4 stored, 3 stored, 2 live, ");
    for user in [3, 4, 5, 6] {
        assert_eq!((env.stored(user).await, env.unread(user).await), (vec!["to six".to_owned()], 1));
    }
    env.php().get("ChatPush\\pushToUsers([2, 70], 'end', 'text');").await;
    for client in [&mut first, &mut last] {
        let mut shown = Vec::new();
        while shown.last().is_none_or(|data| data != "end") {
            let frame = client.json().await;
            if frame["type"] != "unread_count" {
                shown.push(frame["data"].as_str().expect("a content").to_owned());
            }
        }
        assert_eq!(shown, ["to six", "end"]);
    }
}

/// So that no script keeps Redis from others for long: no call has more than 128 receivers.
#[tokio::test]
async fn a_list_is_split_into_script_calls() {
    // All are of one partition, and nothing else calls scripts.
    const LIST: &str = "array_map(fn ($i) => 64 * $i, range(1, 300))";
    let env = TestEnv::with_own_servers().await;
    let push = format!("ChatPush\\pushToUsers({LIST}, 'hi', 'text');");
    env.php().get(&push).await;
    let _: String = env.redis(&["CONFIG", "RESETSTAT"]).await;
    env.php().get(&push).await;
    let used: String = env.redis(&["INFO", "commandstats"]).await;
    assert!(used.contains("cmdstat_evalsha:calls=3,"), "{used}");

    let queued = env.php().with("chatpush.durability=queued");
    queued.get(&format!("ChatPush\\sendToUsers(1, {LIST}, 'hi');")).await;
    assert_eq!(env.log_length(64).await, 3, "each call has an entry");
}

/// Redis ends a connection for which too much waits. What is published for many receivers, with a content of
/// 64 KiB, goes once to each daemon.
#[tokio::test]
async fn many_receivers_take_no_more_of_redis_than_one() {
    let env = TestEnv::with_own_servers().await;
    let users: Vec<u32> = (1..=40).map(|step| step * 64).collect();
    env.users(&users).await;
    env.users(&[64 * 99]).await;
    let daemon = env.daemon().await;
    let mut clients = Vec::new();
    for user in &users {
        let mut client = daemon.connect(*user).await;
        client.until_unread_count().await;
        clients.push(client);
    }
    let _: String =
        env.redis(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 1048576 1048576 1"]).await;
    let code = "$users = range(64, 2560, 64); $content = str_repeat('x', 65000);
                var_dump(ChatPush\\pushToUsers([7, ...$users, 64 * 99], $content, 'text') === $users);
                $sent = ChatPush\\sendToUsers(1, [...$users, 64 * 99], $content);
                var_dump(array_keys($sent, ChatPush\\Delivery::Live, true) === $users);";
    assert_eq!(env.php().get(code).await.split_whitespace().collect::<Vec<_>>(), ["bool(true)"; 2]);
    for client in &mut clients {
        let mut ids = HashSet::new();
        while ids.len() < 2 {
            let frame = client.json().await;
            if frame["type"] != "unread_count" {
                assert!(ids.insert(frame["id"].to_string()), "it came twice");
            }
        }
    }
    assert_eq!(daemon.metric("chatpush_gaps_total").await, 0);
}

/// Each daemon gets a list and delivers to its own users, or each user's daemons get the message, whichever is
/// less. Either way everybody gets it once.
#[tokio::test]
async fn receivers_on_several_daemons_get_it_once() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut clients = Vec::new();
    for (daemon, user) in [(&one, 64), (&one, 128), (&other, 128), (&other, 192), (&one, 65), (&other, 66)] {
        let mut client = daemon.connect(user).await;
        client.until_unread_count().await;
        clients.push(client);
    }
    let mut old = one.connect_with(64, "chatpush.raw").await;
    let code = "foreach (['first', 'second'] as $content) {
                    echo json_encode(ChatPush\\pushToUsers([66, 256, 64, 128, 65, 192], $content, 'text'));
                }
                ChatPush\\pushToUsers([64], 'end', 'text');
                ChatPush\\pushToUsers([192, 128, 65, 66], 'end', 'text');";
    assert_eq!(env.php().get(code).await.trim(), "[66,64,128,65,192][66,64,128,65,192]");
    for client in &mut clients {
        for content in ["first", "second", "end"] {
            assert_eq!(client.json().await["data"], content);
        }
    }
    while old.text().await != "end" {}
}

/// Redis has accepted it, has forgotten that, and refuses it: a daemon may have stored it in between.
#[tokio::test]
async fn what_redis_has_accepted_and_lost_is_unknown() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    daemon.process().signal("STOP");
    let php = env.php().with("chatpush.timeout_ms=20000");
    let code = "try { ChatPush\\sendToUsers(1, [2], 'x', message_id: 'm'); echo 'sent'; }
        catch (ChatPush\\PartialException $e) { echo $e->getOutcomes()[2]->value; }";
    let sending = tokio::spawn(async move { php.get(code).await });
    eventually("it is accepted", || env.log_length(2), |length| *length == 1).await;
    daemon.kill();
    let subscribed = || env.redis::<Vec<String>>(&["PUBSUB", "SHARDCHANNELS", "*:daemons"]);
    eventually("no daemon is there", subscribed, Vec::is_empty).await;
    for key in env.redis::<Vec<String>>(&["KEYS", "*:seen:*"]).await {
        env.redis::<()>(&["DEL", &key]).await;
    }
    for kind in ["normal", "pubsub"] {
        env.redis::<u64>(&["CLIENT", "KILL", "TYPE", kind]).await;
    }
    assert_eq!(sending.await.expect("it is answered"), "unknown");
}

/// It could be shown twice.
#[tokio::test]
async fn push_that_broke_in_the_middle_is_not_repeated() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    let (mut first, mut second) = (daemon.connect(2).await, daemon.connect(3).await);
    first.until_unread_count().await;
    second.until_unread_count().await;
    let path = breaking_path(&env, 1, b"$1\r\n1\r\n", true);
    let php = env.php().with(&format!("chatpush.redis_url={}", redis::url(&path.socket)));
    let code =
        "try { ChatPush\\pushToUsers([3, 2], 'once', 'text'); } catch (ChatPush\\ConnectionException $e) {
                    echo $e->getOutcome()->value, var_export($e->isRetryable(), true);
                }
                var_dump(ChatPush\\pushToUsers([2, 3], 'end', 'text') === [2, 3]);";
    assert_eq!(php.get(code).await.trim(), "unknownfalsebool(true)");
    assert_eq!(first.json().await["data"], "once");
    assert_eq!(first.json().await["data"], "end");
    assert_eq!(second.json().await["data"], "end");
}

/// Redis has forgotten that it accepted the call, and the clients of both have confirmed the message.
#[tokio::test]
async fn confirmed_messages_are_not_stored_again_after_redis_lost_its_tail() {
    let env = TestEnv::new().await;
    // Both are of one partition.
    env.users(&[2, 66]).await;
    let daemon = env.daemon().await;
    let mut reading = Vec::new();
    for user in [2, 66] {
        let mut client = daemon.connect(user).await;
        client.until_unread_count().await;
        reading.push((user, client.keep_reading()));
    }
    let send = "echo implode(' ', array_keys(ChatPush\\sendToUsers(1, [2, 66], 'x', message_id: 'm')));";
    assert_eq!(env.php().get(send).await, "2 66");
    for user in [2, 66] {
        eventually("it is confirmed", || env.stored(user), Vec::is_empty).await;
    }
    let seen: Vec<String> = env.redis(&["KEYS", &format!("{}:*:seen:*", env.name())]).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    for key in seen {
        let _: u64 = env.redis(&["DEL", &key]).await;
    }
    assert_eq!(env.php().get(send).await, "2 66");
    for user in [2, 66] {
        assert_eq!((env.stored(user).await, env.unread(user).await), (Vec::<String>::new(), 1));
    }
    let end = "ChatPush\\pushToUsers([2, 66], 'end', 'text');
               foreach ([2, 66] as $user) ChatPush\\disconnectUser($user);";
    env.php().get(end).await;
    for (user, client) in reading {
        let frames = client.await.expect("it reads to the end");
        let shown: Vec<_> = frames
            .iter()
            .filter_map(|frame| serde_json::from_str::<serde_json::Value>(frame).ok())
            .filter(|frame| frame["type"] != "unread_count")
            .map(|frame| frame["data"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(shown, ["x", "end"], "user {user}");
    }
}
