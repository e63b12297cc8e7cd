//! What a message says, and ids that are texts or have 64 bits.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;
use serde_json::json;

use super::push_service::PushService;
use super::{installation, subscribed, with_web_push};

/// With `notify.show_content` the text may be in it, as much as fits.
#[tokio::test]
async fn content_is_shown_if_it_may_be() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let env = env
        .with("CHATPUSH_NOTIFY_SHOW_CONTENT", "true")
        .with("CHATPUSH_WEB_PUSH_BODY", "{sender}: {content}");
    let daemon = env.daemon().await;
    for (user, browser) in [(2, "a"), (3, "b")] {
        subscribed(&daemon, user, &service.subscription(browser)).await;
    }
    env.php()
        .get("storeOfflineMessage(1, 2, 'Good morning'); storeOfflineMessage(1, 3, str_repeat('\u{1f600}', 3000));")
        .await;
    let pushes = service.received(2).await;
    let body = |path: &str| {
        let push = pushes.iter().find(|push| push.path == path).expect("it was sent");
        push.payload["notification"]["body"].as_str().expect("a text").to_owned()
    };
    assert_eq!(body("/a"), "1: Good morning");
    let long = body("/b");
    let shown = long.chars().filter(|char| *char == '\u{1f600}').count();
    assert!(long.starts_with("1: \u{1f600}") && (100..=500).contains(&shown), "{long}");
}

/// The largest body that a push service has to take is sent (RFC 8030 section 7.2). Of content that would make it one
/// byte longer, half is shown.
#[tokio::test]
async fn content_that_does_not_fit_is_halved() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let env = env
        .with("CHATPUSH_NOTIFY_SHOW_CONTENT", "true")
        .with("CHATPUSH_WEB_PUSH_BODY", "{content}")
        .with("CHATPUSH_WEB_PUSH_URL", "/".to_owned() + &"a".repeat(999));
    let daemon = env.daemon().await;
    for (user, browser) in [(1, "a"), (2, "b"), (3, "c")] {
        subscribed(&daemon, user, &service.subscription(browser)).await;
    }
    let told = async |user: u32, content: &str| {
        // Control characters are escaped in JSON.
        let content = json!(content);
        env.php()
            .get(&format!("ChatPush\\sendMessage(9, {user}, json_decode('{content}'), 'chat', 'x');"))
            .await;
        let push = service.received(user as usize).await.pop().expect("it was sent");
        (push.bytes, push.payload["notification"]["body"].as_str().expect("a text").to_owned())
    };
    let (least, _) = told(1, &"a".repeat(500)).await;
    // 500 characters, which are longer in JSON by 5 bytes, by 3, by 1, or not.
    let filling = |bytes: usize| {
        let (escaped, emoji, accents) = (bytes / 5, bytes % 5 / 3, bytes % 5 % 3);
        let rest = 500 - escaped - emoji - accents;
        format!(
            "{}{}{}{}",
            "é".repeat(accents),
            "😀".repeat(emoji),
            "\u{1}".repeat(escaped),
            "a".repeat(rest)
        )
    };
    let fits = filling(4_096 - least);
    assert_eq!(told(2, &fits).await, (4_096, fits));
    let longer = filling(4_097 - least);
    let half: String = longer.chars().take(250).collect();
    assert_eq!(told(3, &longer).await.1, half + "…");
}

/// Users whose ids are texts, or have more than 31 bits.
#[tokio::test]
async fn other_ids_are_told() {
    for (ids, sender, user, quote) in
        [(UserIdType::Text, "ann", "Bob-7", "'"), (UserIdType::BigInt, "5", "4294967296123", "")]
    {
        let service = PushService::start().await;
        let env = TestEnv::with_user_ids(ids).await;
        let env = with_web_push(env, &service, &service.host()).await;
        assert!(Daemon::command(&env, &["migrate"]).await.status.success());
        let _daemon = env.daemon().await;
        let save = format!(
            "ChatPush\\savePushSubscription({quote}{user}{quote}, '{}');
             storeOfflineMessage({quote}{sender}{quote}, {quote}{user}{quote}, 'a');",
            service.subscription("a")
        );
        env.php().get(&save).await;
        let push = service.received(1).await.remove(0);
        let about = &push.payload["chatpush"];
        assert_eq!((&about["user_id"], &about["sender_id"]), (&json!(user), &json!(sender)));
        let told =
            || env.query::<String>("SELECT CAST(user_id AS CHAR) FROM chatpush_notified WHERE told_at > 0");
        eventually("the user is told", told, |users| *users == [user]).await;
    }
}
