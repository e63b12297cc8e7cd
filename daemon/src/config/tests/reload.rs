//! What a reload applies, and what needs a restart.

use std::collections::BTreeMap;

use super::{MINIMUM, SECRET, load};
use crate::config::reload::Changes;
use crate::config::setting::{Default, Kind, Reload, Setting};
use crate::config::{AdminToken, Config, ConfigErrors, Key, Live, table};

/// A configuration with every setting that the others need, so that each can be changed alone.
fn everything() -> BTreeMap<String, String> {
    let vapid = crate::config::vapid().unwrap();
    let key = |name: &str| {
        let line = vapid.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        line.and_then(|rest| rest.strip_suffix('"')).unwrap().to_owned()
    };
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut variables: BTreeMap<_, _> = MINIMUM.iter().map(|(name, value)| named(name, value)).collect();
    variables.extend([
        named("CHATPUSH_ADMIN_TOKEN", "0123456789abcdef"),
        named("CHATPUSH_TLS_CERT", "/a"),
        named("CHATPUSH_TLS_KEY", "/b"),
        named("CHATPUSH_NOTIFY_AFTER", "60"),
        named("CHATPUSH_NOTIFY_SHOW_CONTENT", "true"),
        named("CHATPUSH_WEBHOOK_URL", "https://a.example/"),
        named("CHATPUSH_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
        named("CHATPUSH_WEB_PUSH_PUBLIC_KEY", &key("public_key")),
        named("CHATPUSH_WEB_PUSH_PRIVATE_KEY", &key("private_key")),
        named("CHATPUSH_WEB_PUSH_SUBJECT", "mailto:a@b.example"),
        named("CHATPUSH_MYSQL_HISTORY_COLUMN", "state"),
        named("CHATPUSH_MYSQL_HISTORY_VALUE", "sent"),
    ]);
    variables
}

fn loaded(variables: &BTreeMap<String, String>) -> Result<Config, ConfigErrors> {
    let pairs: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    load("", &pairs)
}

/// Another value of a setting than the one that is set.
fn other_value(setting: &Setting, is: Option<&str>) -> String {
    let default = match setting.default {
        Default::Value(value) => value,
        Default::Required { example } | Default::Unset { example } => example,
    };
    let is = is.unwrap_or(default);
    match &setting.kind {
        Kind::Boolean => if is == "true" { "false" } else { "true" }.to_owned(),
        Kind::Integer { range, .. } => {
            let is: u32 = is.parse().unwrap();
            if is < *range.end() { is + 1 } else { is - 1 }.to_string()
        }
        Kind::Choice(choices) => (*choices.iter().find(|choice| **choice != is).unwrap()).to_owned(),
        Kind::Text => text_of(setting.key).to_owned(),
    }
}

/// A text that each of these may be, and is not by default.
fn text_of(key: &str) -> &'static str {
    match key {
        "secret" | "previous_secrets" => "another-secret-of-more-than-32-bytes",
        "listen" | "admin_listen" => "127.0.0.1:1",
        "user_id_type" => "bigint",
        "admin_token" => "fedcba9876543210",
        "allowed_origins" => "https://a.example",
        "trusted_proxies" => "10.0.0.1",
        "redis.url" => "redis://a.example",
        "mysql.url" => "mysql://u:p@a.example/app",
        "mysql.time_zone" => "+05:30",
        "webhook.url" => "https://b.example/",
        "webhook.secret" => "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI0",
        "webhook.events" => "message.delivered",
        "web_push.subject" => "mailto:c@d.example",
        "web_push.hosts" => "a.example",
        "web_push.url" => "/chat",
        "log.filter" => "debug",
        _ => "other",
    }
}

/// Everything that a reload applies, as one text.
fn live(live: &Live) -> String {
    let live = live.get();
    let secrets = std::iter::once(&live.tokens.secret).chain(&live.tokens.previous_secrets);
    let keys: Vec<_> = live.webhook_keys.iter().map(Key::bytes).collect();
    let signed: Vec<_> = secrets.map(|secret| chatpush_wire::token::sign(secret, 7, None, 1, 1)).collect();
    format!("{live:?} {signed:?} {keys:?} {:?}", live.admin_token.as_ref().map(AdminToken::as_str))
}

/// The table says so of each setting, and the code that reads it agrees.
#[test]
fn every_setting_is_applied_or_needs_a_restart() {
    // Two keys that belong together.
    const PAIR: [&str; 2] = ["web_push.public_key", "web_push.private_key"];
    let variables = everything();
    let mut wrong = Vec::new();
    for setting in table::all().filter(|setting| !PAIR.contains(&setting.key) && setting.key != "storage") {
        let mut others = variables.clone();
        let value = other_value(setting, variables.get(&setting.env()).map(String::as_str));
        others.insert(setting.env(), value);
        let mut running = loaded(&variables).unwrap();
        let fresh = match loaded(&others) {
            Ok(fresh) => fresh,
            Err(error) => {
                wrong.push(format!("{}: no other value: {error}", setting.key));
                continue;
            }
        };
        let before = live(&running.live);
        let changes = running.adopt(&fresh);
        let (after, both) = (live(&running.live), [changes.applied, changes.needs_restart].concat());
        if both != [setting.key] {
            wrong.push(format!("{}: {both:?} have changed", setting.key));
        }
        if (before != after) != (setting.reload != Reload::Restart) || after != live(&fresh.live) {
            wrong.push(format!("{}: the table says {:?}, and that is wrong", setting.key, setting.reload));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_change_is_said_once_and_a_restart_until_it_is_taken_back() {
    let base = format!("secret = '{SECRET}'\n[mysql]\nurl = 'mysql://u:p@localhost/app'\n");
    let mut running = load(&base, &[]).unwrap();
    let other = load(&format!("listen = '127.0.0.1:1'\ndrain_seconds = 3\n{base}"), &[]).unwrap();
    let wanted = Changes { applied: vec!["drain_seconds"], needs_restart: vec!["listen"] };
    assert_eq!(running.adopt(&other), wanted);
    let wanted = Changes { applied: vec![], needs_restart: vec!["listen"] };
    assert_eq!(running.adopt(&other), wanted);
    let back = load(&base, &[]).unwrap();
    let wanted = Changes { applied: vec!["drain_seconds"], needs_restart: vec![] };
    assert_eq!(running.adopt(&back), wanted);
}

/// Without the token, an address that is still open to others would be open to everybody.
#[test]
fn a_token_stays_until_the_address_that_needs_it_is_left() {
    let base = format!("secret = '{SECRET}'\n[mysql]\nurl = 'mysql://u:p@localhost/app'\n");
    let open = "admin_listen = '0.0.0.0:1'\nadmin_token = '0123456789abcdef'\n";
    let mut running = load(&format!("{open}{base}"), &[]).unwrap();
    let changes = running.adopt(&load(&base, &[]).unwrap());
    let wanted = Changes { applied: vec![], needs_restart: vec!["admin_listen", "admin_token"] };
    assert_eq!(changes, wanted);
    assert!(running.live.get().admin_token.is_some());
}

/// Until the restart, webhooks go on to the old address, signed as before.
#[test]
fn webhook_keys_stay_until_the_address_is_left() {
    let variables = everything();
    let mut running = loaded(&variables).unwrap();
    let keys =
        |config: &Config| config.live.get().webhook_keys.iter().map(Key::bytes).map(<[u8]>::to_vec).collect();
    let before: Vec<Vec<u8>> = keys(&running);
    let mut others = variables;
    others.insert("CHATPUSH_WEBHOOK_URL".to_owned(), String::new());
    let changes = running.adopt(&loaded(&others).unwrap());
    assert_eq!(changes, Changes { applied: vec![], needs_restart: vec!["webhook.url"] });
    assert_eq!(keys(&running), before);
    assert_eq!(before.len(), 1);
}

#[test]
fn storage_that_is_switched_off_is_named_alone() {
    let mut running = load("", &MINIMUM).unwrap();
    let changes = running.adopt(&load("storage = 'none'", &MINIMUM).unwrap());
    assert_eq!(changes, Changes { applied: vec![], needs_restart: vec!["storage"] });
}
