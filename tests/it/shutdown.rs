use std::time::{Duration, Instant};

use chatpush_tests::eventually::eventually;
use chatpush_tests::site::Site;

#[tokio::test]
async fn sigterm_tells_clients_to_come_back_and_ends_in_time() {
    let site = Site::new().await;
    let daemon = site.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.flushed().await;
    let closing = tokio::spawn(browser.closed());
    let start = Instant::now();
    let code = tokio::task::spawn_blocking(move || daemon.stop()).await.expect("the daemon stops");
    assert_eq!(code, Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "promised is ten seconds, took {:?}", start.elapsed());
    assert_eq!(closing.await.expect("the client reads to the end"), Some(1012));
}

#[tokio::test]
async fn a_client_that_does_not_answer_the_goodbye_holds_up_nobody() {
    let site = Site::new().await;
    let daemon = site.daemon().await;
    let deaf = daemon.connect(2).await;
    let code = tokio::task::spawn_blocking(move || daemon.stop()).await.expect("the daemon stops");
    assert_eq!(code, Some(0));
    drop(deaf);
}

#[tokio::test]
async fn stores_under_way_at_sigterm_are_written_or_refused_and_never_lost() {
    let site = Site::new().await;
    site.users(&[2]).await;
    let daemon = site.daemon().await;
    let php = site.php().with("chatpush.timeout_ms=3000");
    let storing = tokio::spawn(async move {
        php.get(
            "for ($i = 0; $i < 100000; $i++) {\
                 try { storeOfflineMessage(1, 2, (string) $i); }\
                 catch (ChatPush\\UnavailableException $e) { echo $i; exit; }\
             }",
        )
        .await
    });
    eventually("some are stored", || site.stored(2), |rows| rows.len() > 50).await;
    let code = tokio::task::spawn_blocking(move || daemon.stop()).await.expect("the daemon stops");
    assert_eq!(code, Some(0));
    let accepted: usize = storing.await.expect("PHP ran").trim().parse().expect("the first refused call");
    let rows = site.stored(2).await;
    assert_eq!(rows, (0..accepted).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(site.unread(2).await, i64::try_from(accepted).expect("a small number"));
}
