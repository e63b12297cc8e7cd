//! Log filters.

use super::load_with;

fn refused(filter: &str) -> String {
    load_with("CHATPUSH_LOG", filter).unwrap_err().errors.remove(0).message
}

/// The library takes any word for the name of a target.
#[test]
fn a_word_that_is_no_level_is_refused() {
    assert_eq!(
        refused("warning"),
        "\"warning\" is not a level: off, error, warn, info, debug, trace; did you mean warn?"
    );
    assert!(refused("info,Debugging").ends_with("did you mean debug?"));
    assert!(refused("verbose").ends_with("debug, trace"));
    assert!(refused("chatpush_deamon=debug").contains("chatpush_daemon"));
    assert!(
        refused("info,chatpush_daemon=warning").contains("expected one of"),
        "{}",
        refused("info,chatpush_daemon=warning")
    );
}

#[test]
fn a_filter_without_the_daemons_own_lines_is_refused() {
    assert!(refused("hyper=debug").ends_with("begin with a level: info,hyper=debug"));
    assert!(refused("").contains("begin with a level"));
}

#[test]
fn levels_and_targets_are_accepted() {
    for filter in [
        "off",
        "WARN",
        "warn,hyper=debug",
        "chatpush_daemon=debug",
        "chatpush=debug",
        "info,chatpush::message=debug",
        "error,[session]=trace",
        "chatpush_daemon::writer",
        "2",
    ] {
        assert_eq!(
            load_with("CHATPUSH_LOG", filter).map(|config| config.live.get().log_filter.clone()),
            Ok(filter.to_owned())
        );
    }
    assert_eq!(
        load_with("CHATPUSH_LOG", " info, hyper=warn,").unwrap().live.get().log_filter,
        "info,hyper=warn"
    );
}
