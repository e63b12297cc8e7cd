use std::collections::HashMap;
use std::path::PathBuf;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("chatpush-config-{}-{name}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

fn load(name: &str, text: &str, env: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let path = file(name, text);
    let env: HashMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let config = Config::load(Some(&path), |name| env.get(name).cloned());
    std::fs::remove_file(path).unwrap();
    config
}

#[test]
fn secret_and_database_are_enough() {
    let env = [("CHATPUSH_SECRET", SECRET), ("CHATPUSH_MYSQL_URL", "mysql://u:p@localhost/app")];
    let config = load("enough", "", &env).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8089");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.prefix, Prefix::default());
    assert!(config.count_unread && config.flush_on_connect && !config.log.json);
    assert_eq!(config.mysql.names.user.to_string(), "`user`");
    assert!(config.threads >= 1);
}

#[test]
fn threads_are_as_many_as_are_wanted_and_never_none() {
    let env = |threads| {
        [
            ("CHATPUSH_SECRET", SECRET),
            ("CHATPUSH_MYSQL_URL", "mysql://u:p@h/app"),
            ("CHATPUSH_THREADS", threads),
        ]
    };
    assert_eq!(load("three", "", &env("3")).unwrap().threads, 3);
    assert!(load("default", "", &env("0")).unwrap().threads >= 1);
    for bad in ["-1", "1025", "many"] {
        let Mistakes(mistakes) = load("bad", "", &env(bad)).unwrap_err();
        assert_eq!(mistakes[0].name, "CHATPUSH_THREADS");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!(
        "listen = '127.0.0.1:1'\nsecret = '{SECRET}'\ncount_unread = false\n\
         [mysql]\nurl = 'mysql://u:p@localhost/app'\n[mysql.tables]\nuser = 'members'\n[log]\nformat = 'json'"
    );
    let config = load("wins", &text, &[("CHATPUSH_LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert!(!config.count_unread && config.log.json);
    assert_eq!(config.mysql.names.user.bare(), "members");
}

#[test]
fn every_mistake_is_named_at_once_and_no_secret_is_shown() {
    let text =
        "listn = 'x'\nsecret = 'short-secret'\n[redis]\nurl = 'http://pw@x'\n[mysql.columns]\nid = 'a`b'";
    let mistakes = load("mistakes", text, &[("CHATPUSH_LISTEN", "here"), ("CHATPUSH_COUNT_UNREAD", "maybe")]);
    let Mistakes(mistakes) = mistakes.unwrap_err();
    let names: Vec<_> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "CHATPUSH_LISTEN",
            "secret",
            "CHATPUSH_COUNT_UNREAD",
            "redis.url",
            "CHATPUSH_MYSQL_URL",
            "mysql.columns.id",
            "listn"
        ]
    );
    let text = Mistakes(mistakes).to_string();
    assert!(!text.contains("short-secret") && !text.contains("pw"), "{text}");
}

#[test]
fn limits_have_variables_of_their_own_and_a_certificate_has_a_key() {
    let env = [
        ("CHATPUSH_SECRET", SECRET),
        ("CHATPUSH_MYSQL_URL", "mysql://u:p@localhost/app"),
        ("CHATPUSH_LIMITS_CONNECTIONS_PER_USER", "3"),
    ];
    assert_eq!(load("limits", "", &env).unwrap().limits.connections_per_user, 3);
    let text = "trusted_proxies = 'here'\n[tls]\ncert = '/a'\n[limits]\nconnections = 0\nmessages = '1e3'";
    let Mistakes(mistakes) = load("wrong-limits", text, &env).unwrap_err();
    let names: Vec<_> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
    assert_eq!(names, ["trusted_proxies", "tls.key", "limits.messages", "limits.connections"]);
}

#[test]
fn a_named_file_must_be_there() {
    let Mistakes(mistakes) =
        Config::load(Some(Path::new("/nonexistent/chatpush.toml")), |_| None).unwrap_err();
    assert_eq!(mistakes[0].name, "/nonexistent/chatpush.toml");
}

#[test]
fn a_database_url_names_a_database() {
    let env = [("CHATPUSH_SECRET", SECRET), ("CHATPUSH_MYSQL_URL", "mysql://u:p@localhost")];
    let Mistakes(mistakes) = load("database", "", &env).unwrap_err();
    assert!(mistakes[0].what.contains("the database is missing"), "{mistakes:?}");
}

#[test]
fn the_example_shows_every_default() {
    let env = [("CHATPUSH_SECRET", SECRET), ("CHATPUSH_MYSQL_URL", "mysql://u:p@localhost/app")];
    let example = include_str!("../../../chatpush.toml.example");
    let (shown, default) = (load("shown", example, &env).unwrap(), load("default", "", &env).unwrap());
    assert_eq!(format!("{shown:?}"), format!("{default:?}"));
    let settings = |text: &str| text.lines().filter(|line| line.contains(" = ")).count();
    assert_eq!(settings(example), 42, "a new setting belongs into the example");
}
