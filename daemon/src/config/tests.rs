mod files;
mod history;
mod logging;
mod names;
mod reload;
mod sources;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use super::setting::{Kind, Setting};
use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The required settings.
const MINIMUM: [(&str, &str); 2] =
    [("CHATPUSH_SECRET", SECRET), ("CHATPUSH_MYSQL_URL", "mysql://u:p@localhost/app")];

/// Loads a file with `text` and these variables.
fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("chatpush-config-{process}-{number}.toml"));
    std::fs::write(&path, text).unwrap();
    let config = Config::load(Some(&path), env.iter().map(|(name, value)| (name.into(), value.into())));
    std::fs::remove_file(path).unwrap();
    config
}

/// Loads the required settings and one more variable.
fn load_with(variable: &str, value: &str) -> Result<Config, ConfigErrors> {
    load("", &[MINIMUM[0], MINIMUM[1], (variable, value)])
}

fn names(errors: &ConfigErrors) -> Vec<&str> {
    errors.errors.iter().map(|error| error.name.as_str()).collect()
}

#[test]
fn secret_and_database_are_enough() {
    let config = load("", &MINIMUM).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8089");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.prefix, Prefix::default());
    assert!(config.count_unread && config.flush_on_connect && !config.log_json);
    assert_eq!(config.mysql.unwrap().names.user.to_string(), "`user`");
    assert!(config.threads >= 1);
}

#[test]
fn without_storage_no_database_is_needed_and_none_is_read() {
    let secret = MINIMUM[0];
    let config = load("storage = 'none'\n[mysql]\nurl = 'nonsense'\n", &[secret]).unwrap();
    assert!(config.mysql.is_none() && config.unknown_variables.is_empty());
    assert!(load("", &[secret, ("CHATPUSH_STORAGE", "none")]).unwrap().mysql.is_none());
    let errors = load("storage = 'none'\n[mysql]\nulr = 'x'\n", &[secret]).unwrap_err();
    assert_eq!(names(&errors), ["mysql.ulr"], "a misspelt key is named all the same");
    assert_eq!(names(&load("storage = 'sqlite'", &[secret]).unwrap_err()), ["storage"]);
    assert_eq!(names(&load("storage = 'mysql'", &[secret]).unwrap_err()), ["CHATPUSH_MYSQL_URL"]);
}

#[test]
fn zero_threads_stand_for_half_the_processors() {
    assert_eq!(load_with("CHATPUSH_THREADS", "3").unwrap().threads, 3);
    assert!(load_with("CHATPUSH_THREADS", "0").unwrap().threads >= 1);
    for bad in ["-1", "1025", "many"] {
        assert_eq!(names(&load_with("CHATPUSH_THREADS", bad).unwrap_err()), ["CHATPUSH_THREADS"]);
    }
}

#[test]
fn environment_overrides_the_file() {
    let text = format!(
        "listen = '127.0.0.1:1'\nsecret = '{SECRET}'\ncount_unread = false\n\
         [mysql]\nurl = 'mysql://u:p@localhost/app'\n[mysql.tables]\nuser = 'members'\n\
         [mysql.columns]\nid = 'mid'\n[log]\nformat = 'json'"
    );
    let env = [("CHATPUSH_LISTEN", "127.0.0.1:2"), ("CHATPUSH_MYSQL_COLUMNS_ID", "key")];
    let config = load(&text, &env).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert!(!config.count_unread && config.log_json);
    assert_eq!(config.mysql.as_ref().unwrap().names.user.bare(), "members");
    assert_eq!(config.mysql.unwrap().names.id.bare(), "key");
}

#[test]
fn every_error_is_named_at_once_without_secrets() {
    let text =
        "listn = 'x'\nsecret = 'short-secret'\n[redis]\nurl = 'http://pw@x'\n[mysql.columns]\nid = 'a`b'";
    let env = [("CHATPUSH_LISTEN", "here"), ("CHATPUSH_COUNT_UNREAD", "maybe")];
    let errors = load(text, &env).unwrap_err();
    assert_eq!(
        names(&errors),
        [
            "secret",
            "CHATPUSH_LISTEN",
            "CHATPUSH_COUNT_UNREAD",
            "redis.url",
            "CHATPUSH_MYSQL_URL",
            "mysql.columns.id",
            "listn"
        ]
    );
    let text = errors.to_string();
    assert!(!text.contains("short-secret") && !text.contains("pw"), "{text}");
}

#[test]
fn unknown_key_names_the_nearest_setting() {
    let message = |text| load(text, &MINIMUM).unwrap_err().errors.remove(0).message;
    assert_eq!(message("listn = 'x'"), "is not a setting of chatpushd; did you mean `listen`?");
    let limit = message("[limit]\nconections = 7");
    assert_eq!(limit, "is not a setting of chatpushd; did you mean `limits.connections`?");
    assert_eq!(message("zzz = 1"), "is not a setting of chatpushd");
}

#[test]
fn integers_outside_their_range_are_refused() {
    let integers = table::all().filter_map(|setting| match &setting.kind {
        Kind::Integer { range, .. } => Some((setting.env(), *range.start(), *range.end())),
        _ => None,
    });
    // What they are of is switched off.
    let off =
        [("CHATPUSH_NOTIFY_AFTER", "0"), ("CHATPUSH_WEBHOOK_URL", ""), ("CHATPUSH_WEB_PUSH_PRIVATE_KEY", "")];
    let load_with =
        |variable: &str, value: &str| load("", &[&MINIMUM[..], &off, &[(variable, value)]].concat());
    for (variable, least, most) in integers {
        for good in [least, most] {
            assert!(load_with(&variable, &good.to_string()).is_ok(), "{variable} = {good}");
        }
        for bad in [i64::from(least) - 1, i64::from(most) + 1] {
            let errors = load_with(&variable, &bad.to_string()).unwrap_err();
            assert_eq!(names(&errors), [variable.as_str()]);
        }
        assert!(load_with(&variable, "1e3").is_err());
    }
}

/// The grammar is `wire`'s.
#[test]
fn address_of_redis_is_the_one_that_php_reads() {
    let redis = |url| load_with("CHATPUSH_REDIS_URL", url).map(|config| config.redis);
    for url in ["rediss://me:p%40ss@h:7/3", "unix:///r.sock?db=2&pass=a+b", "redis+sentinel://s1,s2/m/2"] {
        assert_eq!(redis(url).unwrap(), Address::parse(url).unwrap());
    }
    for refused in ["redis://me@h", "redis://h?db=3", "redis://:p@ss/w#rd@h", "unix:///r.sock?database=1"] {
        let errors = redis(refused).unwrap_err();
        assert_eq!(names(&errors), ["CHATPUSH_REDIS_URL"], "{refused}");
        assert!(!errors.to_string().contains("ss/w"), "{errors}");
    }
}

#[test]
fn choices_outside_their_list_are_refused() {
    assert!(load_with("CHATPUSH_LOG_FORMAT", "json").unwrap().log_json);
    let errors = load_with("CHATPUSH_LOG_FORMAT", "xml").unwrap_err();
    assert_eq!(errors.errors[0].message, "\"xml\" must be text or json");
}

#[test]
fn variables_are_the_keys_in_capitals() {
    assert_eq!(
        load_with("CHATPUSH_LIMITS_CONNECTIONS_PER_USER", "3")
            .unwrap()
            .live
            .get()
            .limits
            .connections_per_user,
        3
    );
    assert_eq!(load_with("CHATPUSH_LOG", "debug").unwrap().live.get().log_filter, "debug");
}

#[test]
fn no_two_settings_share_a_name() {
    let keys: HashSet<_> = table::all().map(|setting| setting.key).collect();
    let variables: HashSet<_> = table::all().map(Setting::env).collect();
    assert_eq!((keys.len(), variables.len()), (table::all().count(), table::all().count()));
}

#[test]
fn certificate_needs_a_key() {
    let errors = load("[tls]\ncert = '/a'", &MINIMUM).unwrap_err();
    assert_eq!(names(&errors), ["tls.key"]);
    let errors = load("[tls]\nkey = '/a'", &MINIMUM).unwrap_err();
    assert_eq!(names(&errors), ["tls.cert"]);
}

#[test]
fn proxy_protocol_needs_a_proxy() {
    let errors = load("trusted_proxies = ''\nproxy_protocol = true", &MINIMUM).unwrap_err();
    assert_eq!(names(&errors), ["trusted_proxies"]);
    let errors = load("trusted_proxies = 'here'\nproxy_protocol = 'maybe'", &MINIMUM).unwrap_err();
    assert_eq!(names(&errors), ["trusted_proxies", "proxy_protocol"]);
}

#[test]
fn a_named_file_must_exist() {
    let errors = Config::load(Some(Path::new("/nonexistent/chatpush.toml")), []).unwrap_err();
    assert_eq!(errors.errors[0].name, "/nonexistent/chatpush.toml");
}

#[test]
fn database_url_must_name_a_database() {
    let env = [("CHATPUSH_SECRET", SECRET), ("CHATPUSH_MYSQL_URL", "mysql://u:p@localhost")];
    let errors = load("", &env).unwrap_err();
    assert!(errors.errors[0].message.contains("the database is missing"), "{errors}");
}

#[test]
fn help_names_every_variable() {
    let help = environment_help();
    assert!(table::all().all(|setting| help.contains(&format!("  {}\n", setting.env()))), "{help}");
    assert!(help.contains(" [default: 127.0.0.0/8 ::1]\n"), "{help}");
}

/// What belongs to something that nobody has switched on would be ignored without a word.
#[test]
fn settings_of_what_is_not_switched_on_are_refused() {
    let keys = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    let cases = [
        ("CHATPUSH_WEBHOOK_EVENTS", "message.delivered", "webhook.url"),
        ("CHATPUSH_WEBHOOK_SECRET", keys, "webhook.url"),
        ("CHATPUSH_WEBHOOK_TIMEOUT_MS", "100", "webhook.url"),
        ("CHATPUSH_NOTIFY_WHEN", "unread", "notify.after"),
        ("CHATPUSH_NOTIFY_SHOW_CONTENT", "true", "notify.after"),
        ("CHATPUSH_WEB_PUSH_SUBJECT", "mailto:a@b.example", "web_push.private_key"),
        ("CHATPUSH_WEB_PUSH_TITLE", "x", "web_push.private_key"),
    ];
    for (variable, value, switch) in cases {
        let errors = load_with(variable, value).unwrap_err();
        assert_eq!(names(&errors), [variable]);
        let message = &errors.errors[0].message;
        assert!(message.starts_with(&format!("needs {switch}, which is not set: ")), "{message}");
    }
    let errors = load("[webhook]\nevents = 'user.online'", &MINIMUM).unwrap_err();
    assert!(errors.errors[0].place.as_ref().is_some_and(|place| place.ends_with(":2")), "{errors}");
    // The default changes nothing. Whoever has switched it off may keep the rest, and is told.
    assert!(load_with("CHATPUSH_WEBHOOK_EVENTS", "message.waiting").unwrap().idle_settings.is_empty());
    let errors = load("[notify]\nafter = 5\n[webhook]\nurl = 'https://a.example/'", &MINIMUM).unwrap_err();
    assert!(errors.to_string().contains("webhook.secret: is required"), "{errors}");
    assert!(errors.to_string().contains("echo whsec_$(openssl rand -base64 32)"), "{errors}");
    let config = load("[webhook]\nurl = ''\nevents = 'user.online'\ntimeout_ms = 5000", &MINIMUM).unwrap();
    let idle: Vec<_> = config.warnings().collect();
    assert_eq!(idle, ["webhook.events has no effect while webhook.url is off"]);
}
