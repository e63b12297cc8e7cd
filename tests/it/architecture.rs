//! Dependencies between modules and between crates, as tables. A dependency that is not in its table fails a
//! test, and so does an entry that no code needs. Dependency cycles are searched for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The daemon: each group of modules with those that it uses.
const DAEMON: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("net", &[]),
    ("config", &["net"]),
    ("cli", &["base", "config"]),
    ("log", &[]),
    ("broker", &["base", "log"]),
    ("store", &["base", "config", "log"]),
    ("services", &["base", "broker", "config", "log", "store"]),
    ("installation", &["base", "broker", "services", "store"]),
    ("barrier", &["base", "broker", "log", "services"]),
    ("writer", &["base", "broker", "config", "installation", "log", "services", "store"]),
    ("notify", &["barrier", "base", "broker", "config", "log", "services", "store"]),
    ("webhook", &["barrier", "base", "broker", "config", "net", "notify", "services", "store"]),
    ("web_push", &["barrier", "base", "broker", "config", "net", "notify", "services", "store"]),
    ("query", &["barrier", "base", "broker", "log", "notify", "services", "store", "web_push"]),
    ("hub", &[]),
    ("announce", &["base", "broker", "hub", "services", "store"]),
    ("fanout", &["base", "broker", "hub", "installation", "query", "services"]),
    (
        "edge",
        &[
            "announce", "barrier", "base", "broker", "config", "fanout", "hub", "log", "net", "notify",
            "services", "store", "web_push",
        ],
    ),
    (
        "ops",
        &[
            "base", "broker", "cli", "config", "edge", "fanout", "hub", "log", "net", "services", "store",
            "web_push", "webhook",
        ],
    ),
    (
        "run",
        &[
            "announce",
            "barrier",
            "cli",
            "config",
            "edge",
            "fanout",
            "hub",
            "installation",
            "net",
            "ops",
            "notify",
            "query",
            "services",
            "web_push",
            "webhook",
            "writer",
        ],
    ),
];

/// The extension.
const EXTENSION: &[(&str, &[&str])] = &[
    (
        "functions",
        &[
            "calls",
            "declaration",
            "delivery",
            "fault_injection",
            "fetched_rows",
            "parameters",
            "returns",
            "settings",
            "users",
        ],
    ),
    ("parameters", &["declaration", "users", "zend"]),
    ("users", &["error", "link", "settings", "zend"]),
    ("declaration", &["error", "returns", "zend"]),
    (
        "returns",
        &["by_user", "delivery", "error", "exception", "fetched_rows", "outcome", "settings", "zend"],
    ),
    ("by_user", &[]),
    ("exception", &["by_user", "error", "link", "outcome", "settings", "zend"]),
    ("calls", &["delivery", "error", "exchange", "fetched_rows", "link", "outcome", "settings"]),
    ("error", &["delivery", "fault_injection", "link", "outcome", "settings"]),
    ("outcome", &["link"]),
    ("exchange", &["link"]),
    ("link", &["fault_injection", "settings"]),
    ("fault_injection", &[]),
    ("settings", &["zend"]),
    ("info", &["link", "settings", "zend"]),
    ("delivery", &[]),
    ("fetched_rows", &["zend"]),
    ("zend", &[]),
];

/// The wire contract.
const WIRE: &[(&str, &[&str])] = &[
    ("id", &[]),
    ("limit", &[]),
    ("slot", &[]),
    ("partition", &["id", "slot"]),
    ("room", &["limit"]),
    ("key", &["id", "partition", "room"]),
    ("installation", &["entry", "id", "partition"]),
    ("conversation", &[]),
    ("frame", &["conversation", "id", "limit", "room"]),
    ("presence", &[]),
    ("envelope", &["id"]),
    ("entry", &["conversation", "frame", "id"]),
    ("new_entry", &["conversation", "entry", "frame", "id"]),
    ("reply_to", &[]),
    ("due", &["id"]),
    ("push_subscription", &["limit"]),
    ("query", &["id", "partition", "push_subscription", "reply_to"]),
    ("reply", &["conversation", "due", "id"]),
    ("lua", &[]),
    ("token", &["id", "limit"]),
    ("grant", &["id", "limit", "room", "token"]),
    ("address", &[]),
    ("cluster", &["address", "partition"]),
];

/// The stack.
const STACK: &[(&str, &[&str])] = &[
    ("control", &["stack", "supervisor"]),
    ("supervisor", &["stack"]),
    ("smoke", &["demo", "http_client", "mariadb", "stack"]),
    ("mail", &["artifacts", "server", "stack"]),
    ("http_client", &[]),
    ("demo", &["artifacts", "control", "daemon", "folder", "mariadb", "stack"]),
    ("stack", &["artifacts", "daemon", "folder", "mariadb", "nginx", "php_fpm", "redis"]),
    ("redis", &["server", "wait"]),
    ("redis_cluster", &["folder", "port", "redis", "server", "wait"]),
    ("sentinel", &["folder", "port", "redis", "server", "wait"]),
    ("engine", &[]),
    ("mariadb", &["engine", "folder", "server", "wait"]),
    ("replicated_mariadb", &["engine", "folder", "mariadb", "port", "wait"]),
    ("galera", &["folder", "mariadb", "port", "server"]),
    ("daemon", &["artifacts", "port", "server", "wait"]),
    ("php_fpm", &["server", "wait"]),
    ("nginx", &["certificate", "php_fpm", "port", "server", "wait"]),
    ("certificate", &[]),
    ("server", &["guard"]),
    ("folder", &["guard"]),
    ("guard", &[]),
    ("proxy", &[]),
    ("wait", &[]),
    ("port", &[]),
    ("artifacts", &[]),
];

/// The chaos test.
const CHAOS: &[(&str, &[&str])] = &[
    ("cli", &["engine", "fault"]),
    ("engine", &[]),
    (
        "run",
        &[
            "application",
            "checker",
            "cli",
            "clients",
            "cluster",
            "fault",
            "history",
            "mysql_faults",
            "notifications",
            "schema",
            "workers",
        ],
    ),
    ("fault", &["engine"]),
    ("mysql_faults", &["cluster", "fault", "workers"]),
    ("cluster", &["cli", "database", "engine", "fault", "redis_pair", "redis_servers", "schema"]),
    ("schema", &["database"]),
    ("database", &["cli", "engine", "fault"]),
    ("redis_servers", &["redis_pair"]),
    ("redis_pair", &[]),
    ("application", &["cluster"]),
    ("workers", &["cluster", "history", "schema"]),
    ("clients", &["cluster", "history", "schema"]),
    ("notifications", &["clients", "history", "schema", "workers"]),
    ("history", &[]),
    ("checker", &["history", "schema"]),
];

/// The fuzz targets, which share no code.
const FUZZ: &[(&str, &[&str])] = &[("target", &[])];

/// The live fuzzer.
const FUZZ_LIVE: &[(&str, &[&str])] = &[
    ("cli", &[]),
    ("run", &["cli", "client", "harness"]),
    ("harness", &[]),
    ("client", &["frames", "handshake", "harness"]),
    ("handshake", &[]),
    ("frames", &[]),
];

/// The instruction counter.
const INSTRUCTIONS: &[(&str, &[&str])] = &[("callgrind", &["paths"]), ("baseline", &[]), ("paths", &[])];

/// The benchmarks.
const BENCH: &[(&str, &[&str])] = &[
    ("cli", &["peers", "scenarios"]),
    ("run", &["cache", "cli", "machine", "peers", "bench_env", "report", "scenarios"]),
    (
        "scenarios",
        &[
            "connect_spec",
            "clock",
            "peer",
            "clients",
            "latency",
            "fpm",
            "peers",
            "bench_env",
            "plot",
            "profile",
            "publisher",
            "metrics",
            "message_header",
            "usage",
            "budget",
            "webhook_receiver",
            "paired",
            "counts",
        ],
    ),
    ("webhook_receiver", &[]),
    ("paired", &[]),
    ("counts", &["number_format"]),
    ("budget", &["metrics"]),
    ("metrics", &[]),
    ("peers", &["cache", "peer", "clients", "connect_spec", "bench_env"]),
    ("peer", &["connect_spec"]),
    ("bench_env", &["cache"]),
    ("cache", &[]),
    ("publisher", &["clock", "peer", "latency", "bench_env", "ipc"]),
    ("fpm", &["peer", "latency", "bench_env"]),
    ("clients", &["latency", "connect_spec", "ledger", "receiver_protocol", "ipc"]),
    ("receiver_protocol", &["latency", "connect_spec", "ledger"]),
    ("ipc", &[]),
    ("receiver", &["connection", "latency", "connect_spec", "ledger", "receiver_protocol", "message_header"]),
    ("connection", &["clock", "frame", "connect_spec"]),
    ("connect_spec", &[]),
    ("frame", &[]),
    ("ledger", &["message_header"]),
    ("message_header", &[]),
    ("latency", &[]),
    ("clock", &[]),
    ("usage", &[]),
    ("profile", &[]),
    ("machine", &["cache", "peers"]),
    ("report", &["number_format", "machine", "peers", "metrics", "scenarios", "budget", "paired"]),
    ("plot", &["latency", "number_format", "metrics"]),
    ("number_format", &[]),
    ("capacity", &["metrics", "number_format"]),
];

/// The crates, by folder.
const CRATES: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("php-ext/resp", &[]),
    ("php-ext", &["php-ext/resp", "wire"]),
    ("daemon", &["wire"]),
    ("stack", &[]),
    ("tests", &["stack", "wire"]),
    ("chaos", &["stack", "wire"]),
    ("fuzz", &["daemon", "php-ext/resp", "stack", "wire"]),
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

/// The dependencies between the modules of a crate: each `crate::a::…` in its sources.
fn dependencies(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources(source) {
        let relative = file.strip_prefix(source).expect("it is below the folder");
        let first = relative.iter().next().expect("it has a name").to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let targets = dependencies.entry(module.clone()).or_default();
        // Unit tests at the end of a file may use any module.
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
    dependencies
}

fn compare(source: &str, table: &[(&str, &[&str])], exempt: &[&str]) {
    let found = dependencies(&root().join(source));
    let mut wrong = Vec::new();
    for (module, targets) in &found {
        if exempt.contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = table.iter().find(|(name, _)| name == module) else {
            wrong.push(format!("{source}: the module {module} is not in its table"));
            continue;
        };
        wrong.extend(
            targets
                .iter()
                .filter(|target| !allowed.contains(&target.as_str()))
                .map(|target| format!("{source}: {module} -> {target} is not in the table")),
        );
        wrong.extend(
            allowed.iter().filter(|target| !targets.contains(**target)).map(|target| {
                format!("{source}: {module} -> {target} is in the table, but no code needs it")
            }),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Returns the modules that depend on a cycle: removes modules without dependencies until none is left to
/// remove.
fn cycle(table: &[(&str, &[&str])]) -> Vec<String> {
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
fn module_dependencies_match_the_tables() {
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
fn dependencies_have_no_cycle() {
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
        assert_eq!(cycle(table), Vec::<String>::new(), "{name}");
    }
    assert_eq!(
        cycle(&[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])]),
        ["a", "b", "c"],
        "a cycle is found"
    );
}

#[test]
fn crate_dependencies_match_the_table() {
    let folders: BTreeMap<_, _> = [
        ("chatpush-wire", "wire"),
        ("chatpush-resp", "php-ext/resp"),
        ("chatpush-daemon", "daemon"),
        ("chatpush-stack", "stack"),
    ]
    .into();
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
fn redis_names_are_built_in_one_file() {
    for source in ["daemon/src", "php-ext/src", "wire/src"] {
        for file in sources(&root().join(source)) {
            let text = std::fs::read_to_string(&file).expect("it can be read");
            let is_key_rs = file.ends_with("wire/src/key.rs");
            assert!(is_key_rs || !text.contains(":{{{"), "{} builds a Redis name itself", file.display());
        }
    }
}

#[test]
fn no_module_is_named_mod_rs() {
    let crates = CRATES.iter().map(|(folder, _)| root().join(folder));
    let found: Vec<_> =
        crates.flat_map(|folder| sources(&folder)).filter(|file| file.ends_with("mod.rs")).collect();
    assert!(found.is_empty(), "a module is x.rs beside x/, not x/mod.rs: {found:?}");
}
