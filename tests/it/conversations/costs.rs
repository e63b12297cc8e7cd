//! What a change costs does not grow with the conversations of a user.

use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;

use super::{begun, next_unread};

/// Conversations of the user. Each statement that looks at all of them reads as many rows.
const CONVERSATIONS: u64 = 50_000;

/// Rows of what conversations count that were read since the last call.
async fn rows_read(env: &TestEnv) -> u64 {
    // MariaDB manual, "User Statistics".
    let place = format!("table_schema = '{}' AND table_name = 'chatpush_unread'", env.name());
    let read =
        format!("SELECT COALESCE(SUM(rows_read), 0) FROM information_schema.table_statistics WHERE {place}");
    let read: u64 = env.servers().sql(&read).await.trim().parse().expect("a number");
    env.servers().sql("FLUSH TABLE_STATISTICS").await;
    read
}

/// Neither a message nor a recall nor a clear of a conversation looks at the others. The frame has as many as it may.
#[tokio::test]
async fn change_does_not_read_every_conversation() {
    for (ids, [one, two]) in [(UserIdType::Int, ["1", "2"]), (UserIdType::Text, ["'ann'", "'bob'"])] {
        let env = TestEnv::bare_with_own_servers().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
        let env = env.with("CHATPUSH_USER_ID_TYPE", ids.name()).set_up().await;
        for user in [one, two] {
            let sql = format!("INSERT INTO `user` (id, username, password) VALUES ({user}, {user}, '')");
            env.execute(&sql).await;
        }
        if ids == UserIdType::Text {
            let wide = "ALTER TABLE `user` MODIFY id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
            env.execute(wide).await;
        }
        let daemon = env.daemon().await;
        begun(&env, two, one).await;
        env.execute(&format!("UPDATE `user` SET unread_count = {CONVERSATIONS} WHERE id = {two}")).await;
        env.execute(&format!(
            "INSERT INTO chatpush_unread SELECT {two}, CONCAT('c', seq), 1 FROM seq_1_to_{CONVERSATIONS}"
        ))
        .await;
        let mut browser = daemon.connect_as(two.trim_matches('\'')).await;
        assert_eq!(next_unread(&mut browser).await.1, CONVERSATIONS);
        env.servers().sql("SET GLOBAL userstat = 1").await;
        let send = |id| format!("ChatPush\\sendMessage({one}, {two}, 'text', 'chat', '{id}', 'c7');");
        let recall = format!("ChatPush\\recallMessage({one}, {two}, 'a');");
        let clear = format!("ChatPush\\clearUnreadCount({two}, 'c7');");
        rows_read(&env).await;
        for (call, total) in [
            (send('a'), CONVERSATIONS + 1),
            (recall, CONVERSATIONS),
            (send('b'), CONVERSATIONS + 1),
            (clear, CONVERSATIONS - 1),
        ] {
            env.php().get(&call).await;
            let (by, found) = next_unread(&mut browser).await;
            assert_eq!(found, total, "{call}");
            let read = rows_read(&env).await;
            assert!(read < CONVERSATIONS / 2, "{ids} {call}: {read} rows");
            assert!(by.as_object().is_some_and(|by| by.len() < 1_000), "{call}");
        }
        let left = "SELECT conversation FROM chatpush_unread WHERE conversation = 'c7'";
        assert_eq!(env.query::<String>(left).await, Vec::<String>::new());
        let left = format!("SELECT COUNT(*) FROM chatpush_unread WHERE user_id = {two}");
        assert_eq!(env.query::<u64>(&left).await, [CONVERSATIONS - 1]);
    }
}
