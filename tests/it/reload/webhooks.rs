//! Keys of webhooks that are replaced in a running daemon.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::SECRET;

use super::{Installation, secret_line};
use crate::webhooks::application::{Application, Request};
use crate::webhooks::{OTHER_SECRET as NEW, SECRET as OLD};

/// Whether a receiver that has the old key alone accepts a request, and one that has the new key alone.
async fn accepted(installation: &Installation, request: &Request) -> (bool, bool) {
    (request.is_signed(&installation.env, OLD).await, request.is_signed(&installation.env, NEW).await)
}

/// The steps of the book: the new key beside the old one, then alone. A webhook that was refused before comes again with
/// the signature of now.
#[tokio::test]
async fn webhook_keys_are_rotated_without_a_restart() {
    let application = Application::start("204 No Content").await;
    let file = |keys: &str| {
        format!(
            "{}[notify]\nafter = 1\n[webhook]\nurl = 'http://127.0.0.1:{}/'\nsecret = '{keys}'\n",
            secret_line(SECRET),
            application.port
        )
    };
    let installation = Installation::new(&file(OLD)).await;
    let env = &installation.env;
    assert!(Daemon::command(env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(9, 1, 'a');").await;
    let first = application.received(1).await.remove(0);
    assert_eq!(accepted(&installation, &first).await, (true, false));

    installation.reload(&daemon, &file(&format!("{OLD} {NEW}")), "ok").await;
    env.php().get("storeOfflineMessage(9, 2, 'b');").await;
    let second = application.received(2).await.remove(1);
    assert_eq!((second.user(), accepted(&installation, &second).await), (2, (true, true)));

    application.answer("401 Unauthorized");
    env.php().get("storeOfflineMessage(9, 3, 'c');").await;
    let refused = application.received(3).await.remove(2);
    installation.reload(&daemon, &file(NEW), "ok").await;
    // One may have been under way.
    let last = async || {
        let request = application.requests().pop().expect("there are some");
        let accepted = accepted(&installation, &request).await;
        (request, accepted)
    };
    let of_new_key = |(_, accepted): &(Request, (bool, bool))| *accepted == (false, true);
    let (again, _) = eventually("it is signed with the new key alone", last, of_new_key).await;
    assert_eq!(again.headers["webhook-id"], refused.headers["webhook-id"]);
    application.answer("204 No Content");
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("it is accepted", due, |count| *count == [0]).await;
}
