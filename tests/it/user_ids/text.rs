use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;

use super::Chat;

async fn text() -> TestEnv {
    TestEnv::with_user_ids(UserIdType::Text).await
}

/// The two differ in the case of a letter alone.
#[tokio::test]
async fn ids_that_are_texts_reach_every_corner() {
    let chat =
        Chat { env: text().await, sql: ["'Bob'", "'bob'"], php: ["'Bob'", "'bob'"], json: ["Bob", "bob"] };
    chat.goes_through_everything().await;
}

/// PHP's number and the text of its digits are one user, and another than the same number with a zero before it.
#[tokio::test]
async fn digits_are_a_text() {
    let chat = Chat { env: text().await, sql: ["'5'", "'05'"], php: ["5", "'05'"], json: ["5", "05"] };
    chat.goes_through_everything().await;
}

/// As long as an id can be, and with every special character.
#[tokio::test]
async fn longest_ids_and_special_characters_are_ids() {
    const LONGEST: &str = "0123456789012345678901234567890123456789012345678901234567890123";
    const QUOTED: &str = "'0123456789012345678901234567890123456789012345678901234567890123'";
    let chat =
        Chat { env: text().await, sql: [QUOTED, "'row'"], php: [QUOTED, "'row'"], json: [LONGEST, "row"] };
    chat.goes_through_everything().await;
    let chat = Chat {
        env: text().await,
        sql: ["'a.b_c@d-e'", "'-0'"],
        php: ["'a.b_c@d-e'", "'-0'"],
        json: ["a.b_c@d-e", "-0"],
    };
    chat.goes_through_everything().await;
}

/// The application's own tables may have another character set, if its collation is binary.
#[tokio::test]
async fn any_binary_collation_serves() {
    let env = text().await;
    env.execute(
        "ALTER TABLE offline_message MODIFY sender_id varchar(80) COLLATE utf8mb4_bin, \
         MODIFY receiver_id varchar(80) COLLATE utf8mb4_bin NOT NULL",
    )
    .await;
    env.execute("ALTER TABLE `user` MODIFY id varchar(80) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL")
        .await;
    let chat = Chat { env, sql: ["'Bob'", "'bob'"], php: ["'Bob'", "'bob'"], json: ["Bob", "bob"] };
    chat.goes_through_everything().await;
}
