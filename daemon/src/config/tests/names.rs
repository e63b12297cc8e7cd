//! Names of the application's tables and columns.

use super::{MINIMUM, load, names};

/// chatpush would delete users, or what it needs itself.
#[test]
fn names_that_cannot_be_meant_are_refused() {
    for (settings, name, text) in [
        (
            "[mysql.tables]\noffline_message = 'User'",
            "mysql.tables.user",
            "names the table of mysql.tables.offline_message",
        ),
        (
            "[mysql.tables]\noffline_message = 'chatpush_log'",
            "mysql.tables.offline_message",
            "of chatpush itself",
        ),
        ("[mysql.tables]\nuser = 'CHATPUSH_unread'", "mysql.tables.user", "of chatpush itself"),
        (
            "[mysql.columns]\nunread_count = 'ID'",
            "mysql.columns.unread_count",
            "names the column of mysql.columns.user_id",
        ),
        (
            "[mysql.columns]\ncontent = 'sender_id'",
            "mysql.columns.content",
            "names the column of mysql.columns.sender_id",
        ),
    ] {
        let errors = load(settings, &MINIMUM).unwrap_err();
        assert_eq!(names(&errors), [name], "{settings}");
        assert!(errors.to_string().contains(text), "{settings}: {errors}");
    }
    for settings in
        ["[mysql.tables]\nuser = 'chatpushers'", "[mysql.tables]\noffline_message = 'user'\nuser = ''"]
    {
        assert!(load(settings, &MINIMUM).is_ok(), "{settings}");
    }
}
