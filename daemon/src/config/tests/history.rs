//! `[mysql.history]`.

use super::{MINIMUM, load, names};

#[test]
fn a_table_is_a_queue_unless_a_column_is_named() {
    assert!(load("", &MINIMUM).unwrap().mysql.unwrap().history.is_none());
    let text = "[mysql.history]\ncolumn = 'status'\nvalue = 'sent'\nwaiting = 'new'\n";
    let history = load(text, &MINIMUM).unwrap().mysql.unwrap().history.unwrap();
    assert_eq!(history.column.bare(), "status");
    assert_eq!((history.value.as_deref(), history.waiting.as_deref()), (Some("sent"), Some("new")));
    let text = "[mysql.history]\ncolumn = 'delivered_at'\nvalue = 'now'\n";
    let history = load(text, &MINIMUM).unwrap().mysql.unwrap().history.unwrap();
    assert_eq!((history.value, history.waiting), (None, None), "the time, and NULL");
}

/// A daemon that started with half of these settings would delete the rows of a history.
#[test]
fn settings_that_cannot_be_meant_are_refused() {
    const COLUMN: &str = "mysql.history.column";
    const VALUE: &str = "mysql.history.value";
    for (settings, name, text) in [
        ("value = '1'", COLUMN, "is required"),
        ("waiting = '0'", COLUMN, "is required"),
        ("value = '1'\nwaiting = '0'", COLUMN, "is required"),
        ("column = 'done'", VALUE, "is required"),
        ("column = 'done'\nwaiting = '0'", VALUE, "is required"),
        ("column = 'done'\nvalue = '0'\nwaiting = '0'", VALUE, "must be another value"),
        ("column = 'done'\nvalue = 'now'\nwaiting = 'now'", VALUE, "must be another value"),
        ("column = 'a`b'\nvalue = '1'", COLUMN, "must be a MySQL name"),
        ("column = 'content'\nvalue = '1'", COLUMN, "`content` is a column that chatpush writes itself"),
        ("column = 'RECEIVER_ID'\nvalue = '1'", COLUMN, "writes itself"),
        ("column = 'id'\nvalue = '1'\nwaiting = '9'", COLUMN, "writes itself"),
        ("column = 'send_time'\nvalue = 'now'", COLUMN, "writes itself"),
    ] {
        let errors = load(&format!("[mysql.history]\n{settings}\n"), &MINIMUM).unwrap_err();
        assert!(names(&errors).contains(&name), "{settings}: {errors}");
        assert!(errors.to_string().contains(text), "{settings}: {errors}");
    }
    let text = "[mysql.values]\nDone = '0'\n[mysql.history]\ncolumn = 'done'\nvalue = '1'\n";
    let errors = load(text, &MINIMUM).unwrap_err();
    assert_eq!(names(&errors), ["mysql.values"], "{errors}");
}

/// One statement names each column once.
#[test]
fn two_settings_with_the_same_column_are_refused() {
    let text = "[mysql.columns]\nsender_id = 'Receiver_ID'\nsend_time = 'content'\n";
    let errors = load(text, &MINIMUM).unwrap_err();
    assert_eq!(names(&errors), ["mysql.columns.receiver_id", "mysql.columns.send_time"], "{errors}");
    assert!(errors.to_string().contains("names the column of mysql.columns.content"), "{errors}");
    assert!(load("[mysql.columns]\nuser_id = 'sender_id'\n", &MINIMUM).is_ok(), "of another table");
}
