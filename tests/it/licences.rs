//! What is built in may be used as openly as the project itself: the list of `deny.toml`, held without any
//! tool beside cargo.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Whether an SPDX expression is satisfied by the list. Operators go from left to right; `AND` binds tighter
/// than `OR`, and a parenthesis holds alternatives (SPDX 2.3 annex D).
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
fn every_licence_is_on_the_list() {
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
    assert!(packages.len() > 100, "everything is looked at");
    let wrong: Vec<_> = packages
        .iter()
        .map(|package| (package["name"].as_str(), package["license"].as_str()))
        .filter(|(_, licence)| !licence.is_some_and(|licence| is_allowed(licence, &allowed)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
