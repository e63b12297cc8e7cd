//! Where values come from: the lines of the file, and the environment.

use chatpush_wire::token::Secret;

use super::{MINIMUM, load};
use crate::config::Config;
use crate::config::error::{ConfigError, ConfigErrors};

/// The places of all errors, without the name of the file.
fn places(errors: &ConfigErrors) -> Vec<(String, &str)> {
    let place = |error: &ConfigError| {
        let place = error.place.as_deref().unwrap_or(&error.name);
        place.split_once(".toml:").map(|(_, place)| place.to_owned()).unwrap_or_default()
    };
    errors.errors.iter().map(|error| (place(error), error.message.as_str())).collect()
}

#[test]
fn an_error_in_the_file_names_line_and_column() {
    let errors = load("secret = 'for your eyes only'\n[log]\nformat = json\n", &[MINIMUM[1]]).unwrap_err();
    // Whether the secret is missing is not known.
    assert_eq!(errors.errors.len(), 1, "{errors}");
    assert_eq!(places(&errors)[0].0, "3:10", "{errors}");
    assert!(!errors.to_string().contains("eyes"));
}

/// As when a table of the book is written below the example, which has it already.
#[test]
fn what_is_there_twice_is_named() {
    let twice = |text: &str| {
        let errors = load(text, &MINIMUM).unwrap_err();
        assert_eq!(errors.errors.len(), 1, "{errors}");
        let (place, message) = &places(&errors)[0];
        (place.clone(), (*message).to_owned())
    };
    let (place, message) = twice("[webhook]\nurl = ''\n[log]\n[webhook] # again\nsecret = 'eyes'\n");
    assert_eq!(place, "4:2");
    assert!(
        message.starts_with("there are two tables [webhook]: write these settings into the first"),
        "{message}"
    );
    assert!(twice("[mysql.tables]\n[mysql.tables]").1.contains("[mysql.tables]"));
    let (place, message) = twice("[webhook]\nsecret = 'my'\nsecret = 'eyes'\n");
    assert_eq!(
        (place.as_str(), message.as_str()),
        ("3:1", "secret is set for the second time: remove one of the two")
    );
}

#[test]
fn a_wrong_value_and_an_unknown_key_name_their_line() {
    let text = "\nlistn = 'x'\n[limits]\n# Few.\nconnections = 'many'\n[log]\nformat = ['json']\n";
    let errors = load(text, &MINIMUM).unwrap_err();
    let lines: Vec<_> = places(&errors).into_iter().map(|(place, _)| place).collect();
    assert_eq!(lines, ["7", "5", "2"], "{errors}");
}

#[test]
fn an_unknown_variable_names_the_nearest() {
    let nearest = |variable: &str| {
        let config = load("", &[MINIMUM[0], MINIMUM[1], (variable, "x")]).unwrap();
        config.unknown_variables.into_iter().map(|unknown| unknown.to_string()).collect::<Vec<_>>()
    };
    let text = "CHATPUSH_LOGFORMAT is not a setting of chatpushd and has no effect; did you mean CHATPUSH_LOG_FORMAT?";
    assert_eq!(nearest("CHATPUSH_LOGFORMAT"), [text]);
    assert!(nearest("CHATPUSH_LOG_FILTER")[0].ends_with("did you mean CHATPUSH_LOG?"));
    assert!(nearest("CHATPUSH_ALLOWED_ORIGIN")[0].ends_with("did you mean CHATPUSH_ALLOWED_ORIGINS?"));
    assert!(nearest("CHATPUSH_ZZZ")[0].ends_with("no effect"));
    assert!(nearest("CHATPUSH_CONFIG").is_empty() && nearest("PATH").is_empty());
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let bad = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    let mut variables: Vec<_> = MINIMUM.map(|(name, value)| (name.into(), value.into())).into();
    variables.push(("CHATPUSH_PREFIX".into(), bad));
    let errors = Config::load(None, variables).unwrap_err();
    assert_eq!(errors.to_string().lines().nth(1), Some("  CHATPUSH_PREFIX: is not valid UTF-8"));
}

#[test]
fn a_setting_may_name_a_file_with_the_value() {
    let file = std::env::temp_dir().join(format!("chatpush-secret-{}", std::process::id()));
    let path = file.to_str().unwrap();
    std::fs::write(&file, "a key of 32 bytes, kept in a file\n").unwrap();
    let config = load("", &[MINIMUM[1], ("CHATPUSH_SECRET_FILE", path)]).unwrap();
    let secret = Secret::new("a key of 32 bytes, kept in a file").unwrap();
    let signed = |secret: &Secret| chatpush_wire::token::sign(secret, 7, None, 1_000, 60);
    assert_eq!(signed(&config.live.get().tokens.secret), signed(&secret));
    assert!(config.unknown_variables.is_empty());
    let both = load("", &[MINIMUM[0], MINIMUM[1], ("CHATPUSH_SECRET_FILE", path)]).unwrap_err();
    assert_eq!(both.errors[0].message, "is set, and CHATPUSH_SECRET_FILE too: set one of them");
    let in_file = format!("secret_file = '{path}'");
    assert_eq!(signed(&load(&in_file, &[MINIMUM[1]]).unwrap().live.get().tokens.secret), signed(&secret));
    let both = load(&format!("{in_file}\nsecret = 'x'"), &[MINIMUM[1]]).unwrap_err();
    assert_eq!(places(&both), [("1".to_owned(), "is set, and secret too: set one of them")]);
    std::fs::remove_file(&file).unwrap();
    let missing = load(&in_file, &[MINIMUM[1]]).unwrap_err();
    assert_eq!((missing.errors.len(), missing.errors[0].name.as_str()), (1, "secret_file"), "{missing}");
    let missing = load("", &[MINIMUM[1], ("CHATPUSH_SECRET_FILE", path)]).unwrap_err();
    assert_eq!(missing.errors.len(), 1, "{missing}");
    assert_eq!(missing.errors[0].name, "CHATPUSH_SECRET_FILE");
    assert!(missing.errors[0].message.contains(path), "{missing}");
}

#[test]
fn errors_come_in_the_configured_format() {
    let json = |text: &str, env: &[(&str, &str)]| load(text, env).unwrap_err().json;
    assert!(json("[log]\nformat = 'json'", &[]));
    assert!(json("", &[("CHATPUSH_LOG_FORMAT", "json")]));
    assert!(!json("[log]\nformat = 'json'", &[("CHATPUSH_LOG_FORMAT", "text")]));
}

#[test]
fn an_address_whose_password_is_not_encoded_is_refused() {
    let env = [MINIMUM[0], ("CHATPUSH_MYSQL_URL", "mysql://app:p@ss/w#rd@127.0.0.1/app")];
    let errors = load("", &env).unwrap_err();
    assert!(errors.errors[0].message.contains("%40 for @"), "{errors}");
    assert!(!errors.to_string().contains("w#rd"));
}
