//! Jobs of the application that overlap.

use std::process::Stdio;

use chatpush_tests::eventually::eventually;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::{due, ids, installation};

/// Takes at most five users, prints them, waits for a line, and says that they were told.
const JOB: &str = "$mine = array_column(ChatPush\\getDueNotifications(5, 600), 'user_id'); \
                   echo json_encode($mine), PHP_EOL; fgets(STDIN); echo ChatPush\\markNotified($mine), PHP_EOL;";

/// A job that begins while another one sends its mails takes the others, and each user is told once.
#[tokio::test]
async fn job_that_overlaps_another_tells_the_others() {
    let env = installation("undelivered").await;
    env.execute("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_9").await;
    let _daemon = env.daemon().await;
    env.php().get("ChatPush\\sendToUsers(1, range(1, 9), 'x');").await;
    let all = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("all are due", all, |count| *count == [9]).await;
    let start = || {
        let mut php = env.php().program(["-r", JOB]);
        let mut php = php.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("PHP starts");
        let (input, output) = (php.stdin.take().expect("it has one"), php.stdout.take().expect("it has one"));
        (php, input, BufReader::new(output).lines())
    };
    let (_first, mut go_on, mut lines) = start();
    let printed = lines.next_line().await.expect("it prints").expect("a line");
    let mut users: Vec<u64> = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(users.len(), 5);
    let (_second, input, mut others) = start();
    drop(input);
    let printed = others.next_line().await.expect("it prints").expect("a line");
    users.extend(serde_json::from_str::<Vec<u64>>(&printed).expect("JSON"));
    assert_eq!(others.next_line().await.expect("it prints").as_deref(), Some("4"), "told");
    go_on.write_all(b"\n").await.expect("it reads");
    assert_eq!(lines.next_line().await.expect("it prints").as_deref(), Some("5"), "told");
    users.sort_unstable();
    assert_eq!(users, (1..=9).collect::<Vec<_>>());
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
}
