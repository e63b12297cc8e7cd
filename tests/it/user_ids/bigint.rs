use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;

use super::Chat;

/// A number below 0, and one that JavaScript's numbers do not hold.
#[tokio::test]
async fn ids_of_64_bits_reach_every_corner() {
    let chat = Chat {
        env: TestEnv::with_user_ids(UserIdType::BigInt).await,
        sql: ["-7", "4611686018427387905"],
        php: ["'-7'", "4611686018427387905"],
        json: ["-7", "4611686018427387905"],
    };
    chat.goes_through_everything().await;
}
