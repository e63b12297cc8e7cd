use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Inserts rows of user 2 with contents of 60,000 bytes.
async fn large_rows(env: &TestEnv, count: u32) {
    env.execute(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, 2, CONCAT(seq, ' ', REPEAT('x', 60000)), NOW() FROM seq_1_to_{count}"
    ))
    .await;
}

/// Rows of `offline_message` that the server has read since its start. It must have `userstat`.
async fn rows_read(env: &TestEnv) -> u64 {
    let sql = format!(
        "SELECT rows_read FROM information_schema.table_statistics \
         WHERE table_schema = '{}' AND table_name = 'offline_message'",
        env.name()
    );
    env.servers().sql(&sql).await.trim().parse().unwrap_or_default()
}

/// Bytes of memory that the daemon holds.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process().pid()));
    let status = status.expect("the daemon runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kibibytes * 1024
}

async fn queued_bytes(daemon: &Daemon) -> u64 {
    let metrics = daemon.get("/metrics").await;
    let value = metrics.lines().find_map(|line| line.strip_prefix("chatpush_outbox_bytes "));
    value.and_then(|value| value.parse().ok()).expect("the metric is a number")
}

/// Connects and never reads. The small receive buffer keeps the kernel from taking the pages.
async fn stalled(daemon: &Daemon, user: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a size");
    let address = format!("127.0.0.1:{}", daemon.port()).parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("it listens");
    let request = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        token(user)
    );
    stream.write_all(request.as_bytes()).await.expect("it listens");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("it answers");
    assert_eq!(&status, b"HTTP/1.1 101");
    stream
}

/// Rows that do not fit into a page are not read again and again.
#[tokio::test]
async fn large_rows_are_read_about_once() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    large_rows(&env, 400).await;
    env.servers().sql("SET GLOBAL userstat = 1").await;
    let daemon = env.daemon().await;
    let before = rows_read(&env).await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(client.until_unread_count().await.0.len(), 400);
    let replayed = rows_read(&env).await - before;
    assert!((400..=1_000).contains(&replayed), "{replayed} rows were read to replay 400");
    let count = env.php().with("memory_limit=256M").get("echo count(getOfflineMessage(2));").await;
    assert_eq!(count, "400");
    let fetched = rows_read(&env).await - before - replayed;
    assert!((400..=1_000).contains(&fetched), "{fetched} rows were read to fetch 400");
}

/// Pages on their way to clients count as what waits for clients, and are bounded like that.
#[tokio::test]
async fn stored_pages_for_slow_clients_are_counted_and_bounded() {
    const TOTAL: u64 = 8 * 1024 * 1024;
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_OUTBOX_TOTAL_BYTES", TOTAL.to_string());
    env.users(&[2, 3]).await;
    large_rows(&env, 200).await;
    let daemon = env.daemon().await;
    let mut reader = daemon.connect(3).await;
    reader.until_unread_count().await;
    let before = resident(&daemon);
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(stalled(&daemon, 2).await);
    }
    // Each has a page of at least one row.
    let queued = || queued_bytes(&daemon);
    let most = eventually("pages wait for them", queued, |bytes| *bytes >= 100 * 60_000).await;
    // Half of the bound, what is read at the same time, and two small pages for each.
    assert!(most <= TOTAL / 2 + 2 * 1024 * 1024 + 100 * 2 * 61_000, "{most} bytes wait");
    let grown = resident(&daemon).saturating_sub(before);
    assert!(grown < 150 * 1024 * 1024, "{grown} bytes more for {most} that wait");
    // Others are served meanwhile.
    env.php().get("pushMessage(3, 'still here', 'text');").await;
    assert_eq!(reader.json().await["data"], "still here");
    drop(slow);
    eventually("nothing waits any more", queued, |bytes| *bytes == 0).await;
    let quick = Client::connect(daemon.port(), &token(2), Some("chatpush.v1")).await.expect("it is let in");
    drop(quick);
}

/// A mailbox of 48 MB: little more than the list itself, which PHP counts, is in memory.
#[tokio::test]
async fn fetched_rows_are_counted_in_the_memory_of_php() {
    let env = TestEnv::new().await;
    large_rows(&env, 800).await;
    let _daemon = env.daemon().await;
    let peak = r"function peak(): int {
        preg_match('/VmHWM:\s+(\d+)/', file_get_contents('/proc/self/status'), $found);
        return 1024 * (int) $found[1];
    }";
    let fetch = format!(
        "{peak} getUnreadCount(2); $before = peak();
         $bytes = array_sum(array_map('strlen', array_column(getOfflineMessage(2), 'content')));
         echo json_encode([$bytes, peak() - $before]);"
    );
    let php = env.php().with("memory_limit=256M");
    let [bytes, grown]: [u64; 2] = serde_json::from_str(&php.get(&fetch).await).expect("two numbers");
    assert!(bytes > 800 * 60_000, "{bytes}");
    assert!(grown < bytes + bytes / 2, "the process grew by {grown} for {bytes}");
}

/// One long message in either direction leaves no buffer of its size behind.
#[tokio::test]
async fn idle_connections_keep_no_large_buffers() {
    const CLIENTS: u32 = 100;
    const BYTES: usize = 60_000;
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let php = env.php();
    let long = format!(r#"{{"token":"{}"}}"#, "x".repeat(BYTES));
    let mut clients = Vec::new();
    let mut before = 0;
    for round in 0..2 {
        for user in 2..2 + CLIENTS {
            if round == 0 {
                let mut client = daemon.connect_with(user, "chatpush.v1").await;
                client.until_unread_count().await;
                clients.push(client);
            } else {
                let client = &mut clients[user as usize - 2];
                client.send_text(&long).await;
                php.get(&format!("pushMessage({user}, str_repeat('x', {BYTES}), 'text');")).await;
                assert_eq!(client.json().await["data"].as_str().map(str::len), Some(BYTES));
            }
        }
        if round == 0 {
            before = resident(&daemon);
        }
    }
    let each = resident(&daemon).saturating_sub(before) / u64::from(CLIENTS);
    assert!(each < BYTES as u64 / 2, "{each} bytes more for each connection");
}
