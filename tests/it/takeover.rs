use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// The process id of the daemon that writes; its name holds it.
async fn writer(env: &TestEnv) -> Option<u32> {
    let holder: Option<String> = env.redis(&["GET", &format!("{}:writer", env.name())]).await;
    holder?.split(':').nth(2)?.parse().ok()
}

/// The daemon that writes, and the other.
async fn writer_and_standby(env: &TestEnv, one: Daemon, other: Daemon) -> (Daemon, Daemon) {
    let holder = eventually("somebody writes", || writer(env), Option::is_some).await;
    if holder == Some(one.process().pid()) { (one, other) } else { (other, one) }
}

#[tokio::test]
async fn a_killed_writer_is_replaced_before_its_lease_runs_out() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (active, standby) = writer_and_standby(&env, env.daemon().await, env.daemon().await).await;
    let pid = standby.process().pid();
    active.kill();
    let stored = env.php().get("var_dump(storeOfflineMessage(1, 2, 'after'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["after".to_owned()], 1));
    assert_eq!(writer(&env).await, Some(pid));
    // The lease of the killed writer would have held on: it was taken, not waited for.
    assert!(standby.log().contains("writing"));
}

#[tokio::test]
async fn a_hung_writer_is_replaced_and_commits_nothing_when_it_wakes() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (active, standby) = writer_and_standby(&env, env.daemon().await, env.daemon().await).await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    active.process().signal("STOP");
    let stored = php.get("var_dump(storeOfflineMessage(1, 2, 'meanwhile'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!(writer(&env).await, Some(standby.process().pid()));
    assert!(
        standby.log().contains("the last writer's connection is still there and is ended"),
        "its locks are not waited for"
    );
    active.process().signal("CONT");
    for text in ["a", "b", "c"] {
        php.get(&format!("storeOfflineMessage(1, 2, '{text}');")).await;
    }
    assert_eq!(env.stored(2).await, ["before", "meanwhile", "a", "b", "c"]);
    assert_eq!(env.unread(2).await, 5);
    eventually("the woken one stands by", || active.is_ready(), |ready| *ready).await;
    assert_eq!(writer(&env).await, Some(standby.process().pid()));
}

#[tokio::test]
async fn a_hung_daemon_stops_counting_as_present_and_comes_back_clean() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (hung, _healthy) = (env.daemon().await, env.daemon().await);
    let mut browser = hung.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    let online = "var_dump(ChatPush\\isOnline(2));";
    assert_eq!(php.get(online).await.trim(), "bool(true)");
    hung.process().signal("STOP");
    eventually("its users are offline", || php.get(online), |output| output.trim() == "bool(false)").await;
    php.get("storeOfflineMessage(1, 2, 'while it hung');").await;
    hung.process().signal("CONT");
    let frame = browser.json().await;
    assert_eq!((frame["data"].as_str(), frame["offline"].as_bool()), (Some("while it hung"), Some(true)));
    let reading = browser.keep_reading();
    eventually("the row is gone", || env.stored(2), Vec::is_empty).await;
    assert_eq!(php.get(online).await.trim(), "bool(true)");
    reading.abort();
}

#[tokio::test]
async fn a_question_goes_to_the_daemon_that_answered_last_and_to_another_when_that_is_gone() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let first = env.daemon().await;
    // One process of PHP lives on while the daemons come and go.
    let folder = env.servers().folder().join("steps");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let at = folder.display();
    let code = format!(
        "foreach (['a', 'b', 'c'] as $step) {{
             for ($n = 0; $n < 2000 && !file_exists(\"{at}/$step\"); $n++) usleep(10000);
             for ($n = 0; $n < 20; $n++) if (getUnreadCount(2) !== 0) exit(1);
             touch(\"{at}/$step-done\");
         }} echo 'all';"
    );
    let php = env.php();
    let asking = tokio::spawn(async move { php.get(&code).await });
    let step = async |name: &str| {
        std::fs::write(folder.join(name), "").expect("a file can be written");
        let done = folder.join(format!("{name}-done"));
        eventually("the questions are answered", async || done.exists(), |done| *done).await;
    };
    let written = async || {
        let stats: String = env.redis(&["INFO", "commandstats"]).await;
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_rpush:calls="));
        calls.and_then(|rest| rest.split(',').next()).map(str::to_owned)
    };
    step("a").await;
    let before = written().await;
    assert!(before.is_some(), "the first question waits for whoever is free");
    step("b").await;
    assert_eq!(written().await, before, "the others are written down nowhere");
    let _second = env.daemon().await;
    first.kill();
    step("c").await;
    assert_eq!(asking.await.expect("PHP ran"), "all");
}

#[tokio::test]
async fn a_clock_that_went_back_loses_no_message() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    // As if everything so far had been accepted by a clock that was far ahead.
    env.execute("UPDATE chatpush_position SET log_id = '1900000000000-7'").await;
    env.servers().kill_redis().await;
    env.servers().start_redis().await;
    eventually("the daemon is back", || daemon.is_ready(), |ready| *ready).await;
    let stored = php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!(
        (env.stored(2).await, env.unread(2).await),
        (vec!["before".to_owned(), "after".to_owned()], 2)
    );
}

#[tokio::test]
async fn a_redis_restored_from_an_older_file_repeats_nothing_and_loses_nothing_new() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let php = env.php();
    let first = env.daemon().await;
    php.get("storeOfflineMessage(1, 2, 'one');").await;
    first.stop();
    // Entries that wait when the copy is taken, and are applied afterwards.
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("storeOfflineMessage(1, 2, 'two'); storeOfflineMessage(1, 2, 'three');").await;
    env.servers().kill_redis().await;
    let (files, copy) = (env.servers().folder().join("appendonlydir"), env.servers().folder().join("copy"));
    copy_folder(&files, &copy);
    env.servers().start_redis().await;
    let daemon = env.daemon().await;
    php.get("storeOfflineMessage(1, 2, 'four');").await;
    assert_eq!(env.stored(2).await, ["one", "two", "three", "four"]);

    env.servers().kill_redis().await;
    std::fs::remove_dir_all(&files).expect("the files can be removed");
    copy_folder(&copy, &files);
    env.servers().start_redis().await;
    eventually("the daemon is back", || daemon.is_ready(), |ready| *ready).await;
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'five'));").await.trim(), "bool(true)");
    assert_eq!(env.stored(2).await, ["one", "two", "three", "four", "five"]);
    assert_eq!(env.unread(2).await, 5);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        std::fs::copy(&path, to.join(path.file_name().expect("it has a name"))).expect("it can be copied");
    }
}
