//! The extension's connection to Redis: what breaks it, what delays it, and what a server may send.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;

use chatpush_stack::folder::Folder;
use chatpush_stack::port;
use chatpush_stack::redis::{self, Redis};
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::grants::connect_granted;
use chatpush_tests::php::Php;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;
use chatpush_wire::installation::{ContentColumn, Installation};
use chatpush_wire::key::Prefix;
use chatpush_wire::room::Room;
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines, copy_bidirectional,
};
use tokio::net::{TcpSocket, UnixListener, UnixSocket, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A PHP that has said that it is about to call.
struct Calling {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Calling {
    async fn start(php: &Php, code: &str) -> Self {
        let code = format!("fwrite(STDOUT, \"calling\\n\"); {code}");
        let mut command = php.program(["-r", &code]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("php starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).await.expect("php writes");
        assert_eq!(line, "calling\n");
        Self { child, output }
    }

    async fn output(mut self) -> String {
        let mut output = String::new();
        let read = self.output.read_to_string(&mut output);
        timeout(TEST_TIMEOUT, read).await.expect("the call ends").expect("php writes");
        self.child.wait().await.expect("php ends");
        output.trim().to_owned()
    }
}

async fn redis(folder: &Folder, more: &[&str]) -> Redis {
    let arguments = [&["--appendonly", "no"], more].concat();
    let redis = Redis::start_with(folder.path(), &arguments).await.expect("Redis starts");
    // A daemon has served it before.
    let prefix = Prefix::default();
    let record =
        Installation::of_database("uuid".to_owned(), UserIdType::Int, ContentColumn::default()).encode();
    let client = ::redis::Client::open(redis.url()).expect("the URL is valid");
    let config = ::redis::AsyncConnectionConfig::new().set_response_timeout(Some(TEST_TIMEOUT));
    let connected = client.get_multiplexed_async_connection_with_config(&config);
    let mut connection = connected.await.expect("Redis answers");
    let set = ::redis::cmd("SET").arg(prefix.installation()).arg(record).exec_async(&mut connection).await;
    set.expect("Redis takes it");
    redis
}

/// PHP that calls the Redis at this address.
async fn php(url: &str) -> Php {
    let php = TestEnv::bare().await.php();
    php.with(&format!("chatpush.redis_url={url}")).with(&format!("chatpush.prefix={}", Prefix::DEFAULT))
}

/// Sends one command to a Redis on a socket, and returns the answer as it is.
async fn send(socket: &Path, command: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.expect("Redis listens");
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.expect("Redis reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("Redis answers and closes");
    assert!(!answer.starts_with('-'), "{command}: {answer}");
    answer
}

/// The call has its whole timeout to find a Redis that is back.
#[tokio::test]
async fn call_outlasts_a_short_outage() {
    let folder = Folder::new().expect("a folder can be made");
    let php = php(&redis::url(&redis::socket(folder.path()))).await;
    let calling = Calling::start(&php, "var_dump(ChatPush\\isOnline(2));").await;
    let _redis = redis(&folder, &[]).await;
    assert_eq!(calling.output().await, "bool(false)");
}

/// A failover: what the replica refuses goes to the master that it becomes.
#[tokio::test]
async fn call_outlasts_a_failover() {
    let folder = Folder::new().expect("a folder can be made");
    let redis = redis(&folder, &[]).await;
    let socket = redis::socket(folder.path());
    send(&socket, &format!("REPLICAOF 127.0.0.1 {}", port::free().expect("a free port"))).await;
    let php = php(&redis.url()).await.with("chatpush.durability=queued");
    let code = "var_dump(storeOfflineMessage(1, 2, 'x'), pushMessage(2, 'x', 'y'));";
    let calling = Calling::start(&php, code).await;
    let commands = || send(&socket, "INFO commandstats");
    eventually("PHP has met the replica", commands, |text| text.contains("cmdstat_hello:")).await;
    send(&socket, "REPLICAOF NO ONE").await;
    assert_eq!(calling.output().await, "bool(true)\nbool(false)");
}

/// A signal interrupts `connect` while the listener's backlog is full.
#[tokio::test]
async fn signals_do_not_end_a_call() {
    let folder = Folder::new().expect("a folder can be made");
    let redis = redis(&folder, &[]).await;
    let path = folder.path().join("full.sock");
    let socket = UnixSocket::new_stream().expect("a socket can be made");
    socket.bind(&path).expect("the name is free");
    let listener = socket.listen(1).expect("it listens");
    let mut waiting = Vec::new();
    let full = loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(full, ErrorKind::WouldBlock, "the backlog is full");
    let code = "pcntl_async_signals(true); pcntl_signal(SIGUSR1, fn () => null); \
                fwrite(STDOUT, \"handling\\n\"); var_dump(ChatPush\\isOnline(2));";
    let mut calling = Calling::start(&php(&redis::url(&path)).await, code).await;
    let mut line = String::new();
    calling.output.read_line(&mut line).await.expect("php writes");
    let pid = calling.child.id().expect("it runs").to_string();
    for _ in 0..100 {
        let sent = Command::new("kill").args(["-USR1", &pid]).status().await.expect("kill starts");
        assert!(sent.success(), "PHP has ended: {}", calling.output().await);
    }
    drop(waiting);
    let target = redis::socket(folder.path());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                let mut server = UnixStream::connect(&target).await.expect("Redis listens");
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    assert_eq!(calling.output().await, "bool(false)");
    drop(redis);
}

/// The resolver waits for a file of aliases (`hostname(7)`, HOSTALIASES) that nobody writes. Its threads are
/// few, and do not disturb the end of PHP.
#[tokio::test]
async fn hanging_look_up_ends_with_the_call() {
    let folder = Folder::new().expect("a folder can be made");
    let aliases = folder.path().join("aliases");
    assert!(Command::new("mkfifo").arg(&aliases).status().await.expect("mkfifo is there").success());
    let php = php("redis://redis0").await.with("chatpush.timeout_ms=200");
    let code = r"
        for ($i = 0; $i < 8; $i++) {
            ini_set('chatpush.redis_url', sprintf('redis://redis%d', $i % 6));
            try { ChatPush\isOnline(2); }
            catch (ChatPush\ConnectionException $e) { echo $e->getMessage(), PHP_EOL; }
        }
        echo count(glob('/proc/self/task/*'));
    ";
    let mut command = php.program(["-r", code]);
    let output = timeout(TEST_TIMEOUT, command.env("HOSTALIASES", &aliases).output());
    let output = output.await.expect("the calls end").expect("php starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("has not ended; does the name server answer?").count(), 8, "{text}");
    assert!(text.ends_with("\n5"), "four look-ups at most: {text}");
    assert_eq!(output.status.code(), Some(0));
}

/// Looks up a name that `/etc/hosts` has.
#[tokio::test]
async fn host_names_are_looked_up() {
    let folder = Folder::new().expect("a folder can be made");
    let port = port::free().expect("a free port").to_string();
    let _redis = redis(&folder, &["--port", &port]).await;
    let php = php(&format!("redis://localhost:{port}")).await;
    assert_eq!(php.get("var_dump(ChatPush\\isOnline(2));").await.trim(), "bool(false)");
}

/// The kernel probes a TCP connection that is idle. Its timer 02 is that of keepalive (`proc_net_tcp.rst`).
#[tokio::test]
async fn idle_connection_is_probed() {
    let folder = Folder::new().expect("a folder can be made");
    let port = port::free().expect("a free port");
    let _redis = redis(&folder, &["--port", &port.to_string()]).await;
    let php = php(&format!("redis://127.0.0.1:{port}")).await;
    let code = format!(
        "ChatPush\\isOnline(2);
        foreach (file('/proc/net/tcp') as $line) {{
            $columns = preg_split('/\\s+/', trim($line));
            if (str_ends_with($columns[2], sprintf(':%04X', {port})) && $columns[3] === '01') {{
                echo substr($columns[5], 0, 2), \"\\n\";
            }}
        }}"
    );
    assert_eq!(php.get(&code).await.trim(), "02");
}

/// A path that takes a request and acknowledges nothing costs a call half of its time, not all of it.
#[tokio::test]
async fn unacknowledged_request_is_sent_on_another_connection() {
    let folder = Folder::new().expect("a folder can be made");
    let redis = redis(&folder, &[]).await;
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    // Less than a request.
    socket.set_recv_buffer_size(4096).expect("it can be small");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
    let listener = socket.listen(8).expect("it listens");
    let url = format!("redis://{}", listener.local_addr().expect("it has one"));
    let target = redis::socket(folder.path());
    let stalled = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.expect("PHP connects");
        let mut server = UnixStream::connect(&target).await.expect("Redis listens");
        let (mut answers, mut requests) = server.split();
        let (mut from_php, mut client) = first.split();
        let answered = tokio::io::copy(&mut answers, &mut client);
        let others = async {
            // The login, and the look at the installation record. The message is not read.
            let mut request = vec![0; 4096];
            for _ in 0..2 {
                let read = from_php.read(&mut request).await.expect("PHP writes");
                requests.write_all(&request[..read]).await.expect("Redis reads");
            }
            let (mut second, _) = listener.accept().await.expect("PHP connects again");
            let mut server = UnixStream::connect(&target).await.expect("Redis listens");
            let _ = copy_bidirectional(&mut second, &mut server).await;
        };
        tokio::select! { _ = answered => panic!("Redis closed the connection"), () = others => {} }
    });
    let php = php(&url).await.with("chatpush.timeout_ms=6000").with("chatpush.durability=queued");
    let code = "var_dump(storeOfflineMessage(1, 2, str_repeat('x', 65000)));";
    assert_eq!(php.get(code).await.trim(), "bool(true)");
    stalled.await.expect("there were two connections");
    drop(redis);
}

/// Before each answer the server sends a message that belongs to no call, and an attribute.
#[tokio::test]
async fn unasked_messages_and_attributes_are_skipped() {
    const UNASKED: &[u8] = b">2\r\n+invalidate\r\n*1\r\n$3\r\nk\xe9y\r\n|1\r\n+ttl\r\n,1.5\r\n";
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let folder = Folder::new().expect("a folder can be made");
    let path = folder.path().join("proxy.sock");
    let listener = UnixListener::bind(&path).expect("the name is free");
    let target = redis::socket(env.servers().folder());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&target).await.expect("Redis listens");
            tokio::spawn(async move {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let mut answer = vec![0; 64 * 1024];
                // Redis writes small answers at once, so that each read begins with one.
                while let Ok(read @ 1..) = from_server.read(&mut answer).await {
                    let sent = [UNASKED, &answer[..read]].concat();
                    if to_client.write_all(&sent).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    let php = env.php().with(&format!("chatpush.redis_url={}", redis::url(&path)));
    let code = r"
        foreach ([1, 2] as $twice) {
            echo json_encode([
                ChatPush\isOnline(2), pushMessage(2, 'x', 'y'),
                storeOfflineMessage(1, 2, 'x'), getUnreadCount(2),
            ]), PHP_EOL;
        }
    ";
    assert_eq!(php.get(code).await.trim(), "[false,false,true,1]\n[false,false,true,2]");
    daemon.stop();
}

/// A call that waits for a daemon.
#[derive(Clone, Copy)]
struct WaitingCall {
    code: &'static str,
    /// What it says when no daemon has answered.
    late: &'static str,
}

const QUEUED: &str = "is queued and will be stored once";

const STORE: WaitingCall = WaitingCall { code: "storeOfflineMessage(1, 2, 'x')", late: QUEUED };

/// A PHP process whose calls meet a daemon that answers, then none that does, then one that does again.
struct Breaking {
    call: WaitingCall,
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Breaking {
    /// Starts it, and waits until its first call has succeeded.
    async fn start(php: &Php, call: WaitingCall) -> Self {
        const CODE: &str = r"
            function call(): void {
                try { echo json_encode(CALL), PHP_EOL; }
                catch (ChatPush\TimeoutException $e) { echo $e->getMessage(), PHP_EOL; }
            }
            call();
            fgets(STDIN);
            ini_set('chatpush.timeout_ms', '100');
            call();
            call();
            ini_set('chatpush.timeout_ms', '3600000');
            call();
            call();
            fgets(STDIN);
            for (;;) {
                try { CALL; break; } catch (ChatPush\TimeoutException) { }
            }
            echo 'answered', PHP_EOL;
        ";
        let mut command = php.program(["-r", &CODE.replace("CALL", call.code)]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("php starts");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut breaking = Self { call, _child: child, input, output };
        let first = breaking.line().await;
        assert!(!first.contains(call.late), "{first}");
        breaking
    }

    async fn line(&mut self) -> String {
        let line = timeout(TEST_TIMEOUT, self.output.next_line()).await.expect("the call ends");
        line.expect("php writes").expect("php goes on")
    }

    /// Nobody answers any more. Two calls wait for their whole timeout. Then calls say what is wrong, and do
    /// not wait for theirs, which is an hour.
    async fn fails_fast(&mut self) {
        self.input.write_all(b"\n").await.expect("php reads");
        for _ in 0..2 {
            let text = self.line().await;
            assert!(text.contains(self.call.late) && !text.contains("answered"), "{text}");
        }
        for missed in [2, 3] {
            let text = self.line().await;
            assert!(text.contains(self.call.late), "{text}");
            assert!(text.contains(&format!("no chatpushd has answered the last {missed} calls")), "{text}");
        }
    }

    /// All is well again, and an answer closes the breaker.
    async fn recovers(&mut self) {
        self.input.write_all(b"\n").await.expect("php reads");
        assert_eq!(self.line().await, "answered");
    }
}

/// A daemon that hangs costs a process two timeouts, then only a moment for each call, which says so. Its
/// answers close the breaker.
#[tokio::test]
async fn silent_daemon_costs_each_process_two_timeouts() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    let _member = connect_granted(&daemon, 2, &[], &["a"]).await.keep_reading();
    let calls = [
        STORE,
        WaitingCall { code: "ChatPush\\sendToUsers(1, [3], 'x')", late: QUEUED },
        WaitingCall { code: "getUnreadCount(2)", late: "chatpushd did not answer in time" },
        WaitingCall { code: "ChatPush\\getRoomUsers('a')", late: "a chatpushd did not answer in time" },
    ];
    let mut breaking = Vec::new();
    for call in calls {
        breaking.push(Breaking::start(&env.php(), call).await);
    }
    daemon.process().signal("STOP");
    for breaking in &mut breaking {
        breaking.fails_fast().await;
    }
    daemon.process().signal("CONT");
    eventually("the daemon goes on", || env.stored_count(3), |count| *count == 5).await;
    for breaking in &mut breaking {
        breaking.recovers().await;
    }
}

/// One of several daemons in a room that never answers costs no more, and the others are not said to be silent.
#[tokio::test]
async fn silent_daemon_beside_others_costs_each_process_two_timeouts() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let _member = connect_granted(&daemon, 2, &[], &["a"]).await.keep_reading();
    let channel = env.prefix().room_channel(&Room::try_from("a").expect("a room"));
    let mut silent = UnixStream::connect(redis::socket(env.servers().folder())).await.expect("Redis listens");
    silent.write_all(format!("SSUBSCRIBE {channel}\r\n").as_bytes()).await.expect("Redis reads");
    silent.read_u8().await.expect("it is subscribed");
    let code = r"
        foreach ([100, 100, 3600000] as $timeout) {
            ini_set('chatpush.timeout_ms', (string) $timeout);
            try { echo json_encode(ChatPush\getRoomUsers('a')), PHP_EOL; }
            catch (ChatPush\TimeoutException $e) { echo $e->getMessage(), PHP_EOL; }
        }
    ";
    let text = timeout(TEST_TIMEOUT, env.php().get(code)).await.expect("no call waits for an hour");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.iter().all(|line| line.contains("a chatpushd did not answer in time")), "{text}");
    let named: Vec<_> = lines.iter().map(|line| line.contains("not every chatpushd has answered")).collect();
    assert_eq!(named, [false, false, true], "{text}");
    drop(silent);
    let members = async || env.php().get("echo json_encode(ChatPush\\getRoomUsers('a'));").await;
    eventually("the other one answers", members, |text| text == "[2]").await;
}

/// A database that hangs costs no more, and what was queued meanwhile is stored once.
#[tokio::test]
async fn hung_database_costs_each_process_two_timeouts() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let mut breaking = Breaking::start(&env.php(), STORE).await;
    env.servers().signal_mariadb("STOP").await;
    breaking.fails_fast().await;
    env.servers().signal_mariadb("CONT").await;
    eventually("the daemon goes on", || env.stored_count(2), |count| *count == 5).await;
    breaking.recovers().await;
}
