use std::time::Duration;

use chatpush_stack::galera::Galera;
use chatpush_stack::mariadb;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};

use super::takeover;

/// An installation whose database is a Galera cluster. The daemon uses the first node.
struct Site {
    env: TestEnv,
    cluster: Galera,
}

impl Site {
    async fn new(nodes: usize, users: &[u32]) -> Self {
        let mut cluster = Galera::start().await.expect("the first node starts");
        for _ in 1..nodes {
            cluster.join().await.expect("another node joins");
        }
        let env = TestEnv::bare().await;
        mariadb::create_database(cluster.folder(0), env.name()).await.expect("the database is created");
        let url = mariadb::url(&mariadb::socket(cluster.folder(0)), env.name());
        let env = env.with("CHATPUSH_MYSQL_URL", url);
        let migrated = Daemon::command(&env, &["migrate"]).await;
        assert!(migrated.status.success(), "{migrated:?}");
        let site = Self { env, cluster };
        for user in users {
            let insert =
                format!("INSERT INTO `user` (id, username, password) VALUES ({user}, 'u{user}', '')");
            site.sql(0, &insert).await;
        }
        site
    }

    /// The rows that statements give on a node, each a list of columns. The node first applies what the
    /// others have committed (MariaDB manual, `wsrep_sync_wait`).
    async fn sql(&self, node: usize, statements: &str) -> Vec<Vec<String>> {
        let statements = format!("SET SESSION wsrep_sync_wait = 1; USE {}; {statements}", self.env.name());
        let folder = self.cluster.folder(node);
        let text = mariadb::sql(folder, &statements).await.expect("the node executes the statements");
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// How many transactions of the first node have lost a conflict, before their commit or at it (MariaDB
    /// manual, "Galera Cluster Status Variables").
    async fn lost_conflicts(&self) -> u64 {
        let counters = "SELECT SUM(variable_value) FROM information_schema.global_status \
                        WHERE variable_name IN ('WSREP_LOCAL_BF_ABORTS', 'WSREP_LOCAL_CERT_FAILURES')";
        self.sql(0, counters).await[0][0].parse().expect("a number")
    }

    /// A connection of the application to a node.
    async fn application(&self, node: usize) -> Conn {
        let url = mariadb::url(&mariadb::socket(self.cluster.folder(node)), self.env.name());
        Conn::new(Opts::from_url(&url).expect("the URL is valid")).await.expect("the node answers")
    }
}

/// How many conflicts the writer has to lose.
const ENOUGH_CONFLICTS: u64 = 25;

/// The application writes the rows of the same users on another node all the time, so that Galera takes the
/// writer's transactions away, between two of their statements too. Many long statements behind the first
/// lock make that likely.
#[tokio::test]
async fn conflicts_with_another_node_lose_and_double_nothing() {
    // All of one partition, so that one transaction has many statements.
    let users = [2, 66, 130, 194];
    let site = Site::new(3, &users).await;
    let _daemon = site.env.daemon().await;
    // With this, a user's row is locked from the first message on.
    let key = "ALTER TABLE offline_message ADD FOREIGN KEY (receiver_id) REFERENCES `user` (id)";
    site.sql(0, key).await;
    let mut application = site.application(1).await;
    let conflicts = tokio::spawn(async move {
        for write in 0.. {
            let user = users[write % users.len()];
            let update = format!("UPDATE `user` SET password = '{write}' WHERE id = {user}");
            // It may lose a conflict too.
            let _ = application.query_drop(update).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut committed = Vec::new();
    for round in 0.. {
        let callers = (0..6).map(|caller| {
            let php = site.env.php();
            tokio::spawn(async move {
                let code = format!(
                    "foreach (range(1, 2) as $i) foreach ([2, 66, 130, 194] as $user) {{
                         $text = \"c{round}-{caller}-$i-$user\";
                         try {{ if (storeOfflineMessage(1, $user, $text)) echo \"$text\\n\"; }}
                         catch (ChatPush\\TimeoutException) {{}}
                         try {{ ChatPush\\ackOfflineMessage($user, range(1000000, 1002000)); }}
                         catch (ChatPush\\TimeoutException) {{}}
                     }}"
                );
                php.get(&code).await
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            let output = caller.await.expect("PHP ran");
            committed.extend(output.lines().map(str::to_owned));
        }
        if site.lost_conflicts().await >= ENOUGH_CONFLICTS {
            break;
        }
        assert!(round < 20, "the writer has lost {} conflicts", site.lost_conflicts().await);
    }
    conflicts.abort();
    // What was queued before is applied before these.
    for user in users {
        let last = format!("var_dump(storeOfflineMessage(1, {user}, 'last'));");
        assert_eq!(site.env.php().get(&last).await.trim(), "bool(true)");
        committed.push(format!("last-{user}"));
    }
    let rows = site.sql(2, "SELECT content, receiver_id FROM offline_message").await;
    let mut stored: Vec<_> = rows
        .iter()
        .map(|row| if row[0] == "last" { format!("last-{}", row[1]) } else { row[0].clone() })
        .collect();
    stored.sort_unstable();
    let doubled: Vec<_> = stored.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    let lost: Vec<_> = committed.iter().filter(|text| stored.binary_search(text).is_err()).collect();
    assert!(doubled.is_empty() && lost.is_empty(), "doubled: {doubled:?}, lost: {lost:?}");
    let counters = "SELECT u.id, u.unread_count, COUNT(o.id) FROM `user` u \
                    JOIN offline_message o ON o.receiver_id = u.id GROUP BY u.id";
    for row in site.sql(2, counters).await {
        assert_eq!(row[1], row[2], "the counter of {}", row[0]);
    }
}

/// Each node that joins changes `auto_increment_increment` on all nodes, in open connections too.
#[tokio::test]
async fn messages_keep_their_ids_and_types_while_nodes_join() {
    let mut site = Site::new(1, &[2, 66]).await;
    let _daemon = site.env.daemon().await;
    let folder = chatpush_stack::folder::Folder::new().expect("a folder is created");
    let end = folder.path().join("end");
    let callers: Vec<_> = (0..3)
        .map(|caller| {
            // Batches have many rows, because nobody waits for their commit. The pauses bound how many wait while
            // a node that gives its data to another commits nothing.
            let php = site.env.php().with("chatpush.durability=queued");
            let code = format!(
                "for ($i = 0; !file_exists('{}'); $i++) {{
                     $key = \"c{caller}-$i\";
                     ChatPush\\sendMessage(1, [2, 66][$i % 2], $key, \"t-$key\", \"i-$key\");
                     if ($i % 20 === 0) usleep(50_000);
                 }} echo $i;",
                end.display()
            );
            tokio::spawn(async move { php.get(&code).await })
        })
        .collect();
    let increments = async |site: &Site| site.sql(0, "SELECT @@global.auto_increment_increment").await;
    assert_eq!(increments(&site).await, [["1"]]);
    for nodes in ["2", "3"] {
        site.cluster.join().await.expect("another node joins");
        eventually("the increment changes", || increments(&site), |found| found[0][0] == nodes).await;
    }
    std::fs::write(&end, "").expect("a file can be written");
    let mut sent = 0;
    for caller in callers {
        sent += caller.await.expect("PHP ran").trim().parse::<usize>().expect("a number");
    }
    for user in [2, 66] {
        let last = format!("var_dump(storeOfflineMessage(1, {user}, 'last'));");
        let php = site.env.php().with("chatpush.timeout_ms=300000");
        assert_eq!(php.get(&last).await.trim(), "bool(true)", "all before it is stored");
    }
    let recorded = "SELECT o.content, m.message_id, m.type FROM offline_message o \
                    LEFT JOIN chatpush_message m ON m.offline_id = o.id WHERE o.content <> 'last'";
    let rows = site.sql(2, recorded).await;
    assert_eq!(rows.len(), sent);
    for row in rows {
        let [content, id, message_type] = &row[..] else { panic!("three columns") };
        let own = id.ends_with(&format!(":i-{content}")) && message_type.ends_with(&format!(":t-{content}"));
        assert!(own, "{row:?}");
    }
}

/// What makes the writer safe there: no statement is committed on its own, and the positions are compared once more
/// before each COMMIT.
#[tokio::test]
async fn writer_compares_positions_before_each_commit() {
    let site = Site::new(1, &[2]).await;
    site.sql(0, "SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1").await;
    let _daemon = site.env.daemon().await;
    let code = "foreach (range(1, 5) as $i) var_dump(storeOfflineMessage(1, 2, \"$i\"));";
    assert_eq!(site.env.php().get(code).await, "bool(true)\n".repeat(5));
    site.sql(0, "SET GLOBAL general_log = 0").await;
    let writer = "SELECT DISTINCT thread_id FROM mysql.general_log WHERE argument LIKE '%GET_LOCK(CONCAT(\\'chatpush:%'";
    let writer = site.sql(0, writer).await;
    assert_eq!(writer.len(), 1, "{writer:?}");
    let said = format!(
        "SELECT REPLACE(argument, '\n', ' ') FROM mysql.general_log WHERE thread_id = {} AND command_type = 'Query'",
        writer[0][0]
    );
    let said: Vec<String> = site.sql(0, &said).await.into_iter().map(|row| row.join(" ")).collect();
    // A text of several statements is logged as it came, or each statement on its own.
    let said: Vec<String> = said.iter().flat_map(|text| text.split("; ")).map(str::to_owned).collect();
    let begin = said.iter().rposition(|statement| statement.contains("autocommit")).expect("it is set");
    assert_eq!(said[begin], "SET SESSION autocommit = 0");
    let transactions = said[begin + 1..].split_inclusive(|statement| statement == "COMMIT");
    let stores = transactions.filter(|transaction| {
        transaction.iter().any(|statement| statement.starts_with("INSERT INTO `offline_message`"))
    });
    let stores: Vec<_> = stores.collect();
    assert_eq!(stores.len(), 5, "{said:#?}");
    for store in stores {
        let [.., fence, commit] = store else { panic!("{store:#?}") };
        let compares = fence.starts_with("UPDATE `chatpush_position` SET `log_id` = CASE")
            && fence.contains(", `log_id`, NULL)");
        assert!(compares && commit == "COMMIT", "{store:#?}");
    }
}

#[tokio::test]
async fn check_says_what_a_cluster_keeps() {
    let site = Site::new(2, &[]).await;
    let check = Daemon::command(&site.env, &["check"]).await;
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    let named =
        |line: &str| line.starts_with("ok       MySQL server: MariaDB ") && line.contains("Galera (of 2)");
    assert!(text.lines().any(named), "{text}");
}

/// The writer hangs on a node, and its successor uses another one, where it can neither see the writer's named lock nor
/// end its connection.
#[tokio::test]
async fn writer_that_hangs_on_another_node_is_replaced() {
    let site = Site::new(3, &[2]).await;
    let first = site.env.daemon().await;
    let url = mariadb::url(&mariadb::socket(site.cluster.folder(1)), site.env.name());
    let successor = site.env.clone().with("CHATPUSH_MYSQL_URL", url).daemon().await;
    let php = site.env.php().with("chatpush.timeout_ms=60000");
    let store = async |content: &str| {
        let code = format!("var_dump(storeOfflineMessage(1, 2, '{content}'));");
        assert_eq!(php.get(&code).await.trim(), "bool(true)", "{content}");
    };
    store("before").await;
    assert_eq!(takeover::writer(&site.env).await, Some(first.process().pid()));
    first.process().signal("STOP");
    store("meanwhile").await;
    assert_eq!(takeover::writer(&site.env).await, Some(successor.process().pid()));
    first.process().signal("CONT");
    for content in ["a", "b", "c"] {
        store(content).await;
    }
    eventually("the resumed daemon stands by", || first.is_ready(), |ready| *ready).await;
    let rows = site.sql(2, "SELECT content FROM offline_message ORDER BY id").await;
    assert_eq!(rows.concat(), ["before", "meanwhile", "a", "b", "c"]);
    assert_eq!(site.sql(2, "SELECT unread_count FROM `user` WHERE id = 2").await, [["5"]]);
}

/// A daemon whose node has not yet applied what the writer has committed on another one waits for it.
#[tokio::test]
async fn reader_on_a_node_that_lags_behind_serves_nothing_old() {
    let Site { env, cluster } = Site::new(2, &[2]).await;
    let _writer = env.daemon().await;
    let store = async |env: &TestEnv, content: &str| {
        let code = format!("var_dump(storeOfflineMessage(1, 2, '{content}'));");
        assert_eq!(env.php().get(&code).await.trim(), "bool(true)");
    };
    store(&env, "one").await;
    let url = mariadb::url(&mariadb::socket(cluster.folder(1)), env.name());
    let env = env.with("CHATPUSH_MYSQL_URL", url.as_str());
    let reader = env.daemon().await;
    let mut client = reader.connect(2).await;
    assert_eq!(client.until_unread_count().await, (vec!["one".to_owned()], 1));
    drop(client);

    // The node takes what the other commits, and applies nothing.
    let grant = format!("GRANT RELOAD ON *.* TO {}@localhost", mariadb::USER);
    mariadb::sql(cluster.folder(1), &grant).await.expect("root may");
    let mut application = Conn::new(Opts::from_url(&url).expect("a valid URL")).await.expect("it answers");
    application.query_drop("FLUSH TABLES WITH READ LOCK").await.expect("the node stops");
    store(&env, "two").await;
    let mut client = reader.connect_with(2, "chatpush.v1").await;
    let push = "var_dump(pushMessage(2, 'pushed', 'text'));";
    let php = env.php();
    eventually("a connection is reached", || php.get(push), |reached| reached.trim() == "bool(true)").await;
    assert_eq!(client.json().await["data"], "pushed", "stored messages wait");
    application.query_drop("UNLOCK TABLES").await.expect("the node goes on");
    let (contents, unread) = client.until_unread_count().await;
    assert_eq!((contents.last().map(String::as_str), unread), (Some("two"), 2));
}
