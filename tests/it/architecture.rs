//! The table of arrows: which module may use which. A line that is not in it fails, and so does a line of it
//! that nothing uses any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Arrows between the daemon's groups of modules.
const DAEMON: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("net", &[]),
    ("config", &["net"]),
    ("cli", &["base", "config"]),
    ("log", &[]),
    ("broker", &["log"]),
    ("store", &["base", "config", "log"]),
    ("services", &["broker", "config", "log", "store"]),
    ("writer", &["base", "broker", "log", "services", "store"]),
    ("query", &["base", "broker", "log", "services", "store"]),
    ("hub", &[]),
    ("fanout", &["base", "broker", "hub", "query", "services"]),
    ("edge", &["base", "broker", "config", "fanout", "hub", "log", "net", "query", "services", "store"]),
    ("ops", &["base", "broker", "cli", "config", "edge", "fanout", "hub", "services", "store"]),
    ("run", &["config", "edge", "fanout", "hub", "net", "ops", "query", "services", "writer"]),
];

/// Arrows inside the extension.
const EXTENSION: &[(&str, &[&str])] = &[
    ("functions", &["arguments", "calls", "error", "settings", "zend"]),
    ("arguments", &["zend"]),
    ("error", &["settings", "zend"]),
    ("settings", &["address", "zend"]),
    ("address", &[]),
    ("calls", &["delivery", "error", "exchange", "link", "recall", "settings"]),
    ("delivery", &[]),
    ("exchange", &["link"]),
    ("recall", &[]),
    ("link", &["address", "error", "settings"]),
    ("info", &["link", "settings", "zend"]),
    ("zend", &[]),
];

/// Arrows inside the contract.
const WIRE: &[(&str, &[&str])] = &[
    ("id", &[]),
    ("limit", &[]),
    ("partition", &["id"]),
    ("key", &["id", "partition"]),
    ("frame", &["id"]),
    ("envelope", &["id"]),
    ("entry", &["frame", "id"]),
    ("reply_to", &[]),
    ("query", &["id", "reply_to"]),
    ("reply", &["id"]),
    ("lua", &[]),
    ("token", &["id", "limit"]),
];

/// Arrows inside what starts the real parts.
const STACK: &[(&str, &[&str])] = &[
    ("control", &["stack"]),
    ("smoke", &["demo", "mariadb", "stack", "http_client"]),
    ("http_client", &[]),
    ("demo", &["artifacts", "mariadb", "stack"]),
    ("stack", &["artifacts", "daemon", "folder", "mariadb", "nginx", "php_fpm", "redis"]),
    ("redis", &["wait", "server"]),
    ("mariadb", &["wait", "server"]),
    ("daemon", &["artifacts", "wait", "port", "server"]),
    ("php_fpm", &["wait", "server"]),
    ("nginx", &["certificate", "wait", "php_fpm", "port", "server"]),
    ("certificate", &[]),
    ("server", &["guard"]),
    ("folder", &["guard"]),
    ("guard", &[]),
    ("wait", &[]),
    ("port", &[]),
    ("artifacts", &[]),
];

/// Arrows inside the test of faults.
const CHAOS: &[(&str, &[&str])] = &[
    ("cli", &["fault"]),
    ("run", &["checker", "cli", "clients", "cluster", "fault", "history", "proxy", "workers"]),
    ("fault", &[]),
    ("cluster", &["proxy"]),
    ("proxy", &[]),
    ("workers", &["cluster", "history"]),
    ("clients", &["cluster", "history"]),
    ("history", &[]),
    ("checker", &["history"]),
];

/// Arrows inside the fuzzer: none, a target knows no other.
const FUZZ: &[(&str, &[&str])] = &[("target", &[])];

/// Arrows inside the fuzzer's program that talks to a running daemon.
const FUZZ_LIVE: &[(&str, &[&str])] = &[
    ("cli", &[]),
    ("run", &["cli", "client", "harness"]),
    ("harness", &[]),
    ("client", &["frames", "handshake", "harness"]),
    ("handshake", &[]),
    ("frames", &[]),
];

/// Arrows inside the counter of instructions.
const INSTRUCTIONS: &[(&str, &[&str])] = &[("callgrind", &["paths"]), ("baseline", &[]), ("paths", &[])];

/// Arrows inside the measurements.
const BENCH: &[(&str, &[&str])] = &[
    ("cli", &["peers", "scenarios"]),
    ("run", &["cache", "cli", "machine", "peers", "place", "report", "scenarios"]),
    (
        "scenarios",
        &[
            "clock",
            "contender",
            "crowd",
            "delays",
            "page",
            "peers",
            "place",
            "plot",
            "profile",
            "publisher",
            "rounds",
            "stamp",
            "usage",
            "verdict",
        ],
    ),
    ("verdict", &["rounds"]),
    ("rounds", &[]),
    ("peers", &["cache", "contender", "crowd", "hello", "place"]),
    ("contender", &["hello"]),
    ("place", &["cache"]),
    ("cache", &[]),
    ("publisher", &["clock", "contender", "delays", "place", "talk"]),
    ("page", &["contender", "delays", "place"]),
    ("crowd", &["delays", "hello", "ledger", "order", "talk"]),
    ("order", &["delays", "hello", "ledger"]),
    ("talk", &[]),
    ("receiver", &["connection", "delays", "hello", "ledger", "order", "stamp"]),
    ("connection", &["clock", "frame", "hello"]),
    ("hello", &[]),
    ("frame", &[]),
    ("ledger", &["stamp"]),
    ("stamp", &[]),
    ("delays", &[]),
    ("clock", &[]),
    ("usage", &[]),
    ("profile", &[]),
    ("machine", &["cache", "peers"]),
    ("report", &["digits", "machine", "peers", "rounds", "scenarios", "verdict"]),
    ("plot", &["delays", "digits", "rounds"]),
    ("digits", &[]),
];

/// Arrows between crates, by folder.
const CRATES: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("php-ext", &["wire"]),
    ("daemon", &["wire"]),
    ("stack", &[]),
    ("tests", &["stack", "wire"]),
    ("chaos", &["stack", "wire"]),
    ("fuzz", &["daemon", "stack", "wire"]),
    ("bench/instructions", &["daemon", "wire"]),
    ("bench", &["stack", "wire"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The arrows of a crate as its lines say them: `use crate::a::…`, and `crate::a::…` in the text.
fn arrows(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources(source) {
        let relative = file.strip_prefix(source).expect("it is below the folder");
        let first = relative.iter().next().expect("it has a name").to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let targets = arrows.entry(module.clone()).or_default();
        // Tests at the end of a file may look around.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for piece in line.split("crate::").skip(1) {
                let names = match piece.strip_prefix('{') {
                    Some(group) => group.split('}').next().unwrap_or_default().to_owned(),
                    None => piece
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                };
                for name in names.split(',').map(str::trim) {
                    let name = name.split("::").next().unwrap_or_default();
                    if !name.is_empty()
                        && name != module
                        && name.chars().all(|c| c.is_lowercase() || c == '_')
                    {
                        targets.insert(name.to_owned());
                    }
                }
            }
        }
    }
    arrows
}

fn compare(source: &str, table: &[(&str, &[&str])], exempt: &[&str]) {
    let found = arrows(&root().join(source));
    let mut wrong = Vec::new();
    for (module, targets) in &found {
        if exempt.contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = table.iter().find(|(name, _)| name == module) else {
            wrong.push(format!("{source}: the module {module} is not in the table"));
            continue;
        };
        wrong.extend(
            targets
                .iter()
                .filter(|target| !allowed.contains(&target.as_str()))
                .map(|target| format!("{source}: {module} -> {target} is not in the table")),
        );
        wrong.extend(
            allowed
                .iter()
                .filter(|target| !targets.contains(**target))
                .map(|target| format!("{source}: {module} -> {target} is in the table and nowhere else")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Takes away whatever points nowhere until nothing is left; what stays goes round in a circle.
fn circle(table: &[(&str, &[&str])]) -> Vec<String> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> =
        table.iter().map(|(module, targets)| (*module, targets.iter().copied().collect())).collect();
    loop {
        let ends: Vec<_> =
            left.iter().filter(|(_, targets)| targets.is_empty()).map(|(module, _)| *module).collect();
        if ends.is_empty() {
            return left.into_keys().map(str::to_owned).collect();
        }
        left.retain(|module, _| !ends.contains(module));
        for targets in left.values_mut() {
            targets.retain(|target| !ends.contains(target));
        }
    }
}

#[test]
fn modules_use_what_the_table_says() {
    compare("daemon/src", DAEMON, &["lib", "main"]);
    compare("php-ext/src", EXTENSION, &["lib"]);
    compare("wire/src", WIRE, &["lib"]);
    compare("stack/src", STACK, &["lib", "main"]);
    compare("chaos/src", CHAOS, &["lib", "main"]);
    compare("fuzz/src", FUZZ, &["lib", "main"]);
    compare("fuzz/live", FUZZ_LIVE, &["main"]);
    compare("bench/instructions/src", INSTRUCTIONS, &["main"]);
    compare("bench/src", BENCH, &["lib", "main"]);
}

#[test]
fn no_arrows_go_round_in_a_circle() {
    for (name, table) in [
        ("daemon", DAEMON),
        ("php-ext", EXTENSION),
        ("wire", WIRE),
        ("stack", STACK),
        ("chaos", CHAOS),
        ("fuzz", FUZZ),
        ("fuzz/live", FUZZ_LIVE),
        ("bench/instructions", INSTRUCTIONS),
        ("bench", BENCH),
        ("crates", CRATES),
    ] {
        assert_eq!(circle(table), Vec::<String>::new(), "{name}");
    }
    assert_eq!(
        circle(&[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])]),
        ["a", "b", "c"],
        "circles are found"
    );
}

#[test]
fn crates_depend_as_the_table_says() {
    let folders: BTreeMap<_, _> =
        [("chatpush-wire", "wire"), ("chatpush-daemon", "daemon"), ("chatpush-stack", "stack")].into();
    for (folder, allowed) in CRATES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let used: Vec<_> = folders
            .iter()
            .filter(|(name, _)| dependencies.contains(*name))
            .map(|(_, folder)| *folder)
            .collect();
        assert_eq!(used, *allowed, "{folder}");
    }
}

#[test]
fn every_redis_name_is_built_in_one_file() {
    for source in ["daemon/src", "php-ext/src", "wire/src"] {
        for file in sources(&root().join(source)) {
            let text = std::fs::read_to_string(&file).expect("it can be read");
            let is_the_one = file.ends_with("wire/src/key.rs");
            assert!(is_the_one || !text.contains(":{{{"), "{} builds a Redis name itself", file.display());
        }
    }
}
