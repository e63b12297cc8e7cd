//! The licences of all dependencies are on the list in `deny.toml`. This test needs no tool but cargo.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Whether the list satisfies an SPDX expression. `AND` binds tighter than `OR`, and parentheses only group
/// alternatives (SPDX 2.3 annex D).
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    if let Some((alternatives, rest)) =
        expression.strip_prefix('(').and_then(|inside| inside.split_once(") AND "))
    {
        return is_allowed(alternatives, allowed) && is_allowed(rest, allowed);
    }
    expression
        .split(" OR ")
        .any(|all| all.split(" AND ").all(|one| allowed.iter().any(|allowed| allowed == one.trim())))
}

#[test]
fn licences_are_on_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let deny = std::fs::read_to_string(root.join("deny.toml")).expect("the list");
    let list = deny.split_once("allow = [").and_then(|(_, list)| list.split_once(']')).expect("a list").0;
    let allowed: Vec<_> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(is_allowed("MIT", &allowed) && is_allowed("GPL-3.0 OR MIT", &allowed), "{allowed:?}");
    assert!(!is_allowed("GPL-3.0", &allowed) && !is_allowed("MIT AND GPL-3.0", &allowed));
    assert!(!is_allowed("(GPL-3.0 OR GPL-2.0) AND MIT", &allowed));

    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(root)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "packages are missing");
    let wrong: Vec<_> = packages
        .iter()
        .map(|package| (package["name"].as_str(), package["license"].as_str()))
        .filter(|(_, licence)| !licence.is_some_and(|licence| is_allowed(licence, &allowed)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
