//! The files that PIE and Composer read.

use std::fs;

use chatpush_stack::artifacts;
use serde_json::{Value, json};

fn composer(path: &str) -> Value {
    let text = fs::read_to_string(artifacts::root().join(path)).expect("the file is there");
    serde_json::from_str(&text).expect("JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Composer's rule for the name of a package (<https://getcomposer.org/doc/04-schema.md#name>): vendor and project, in
/// lower case, with single separators inside.
fn is_package_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let letter = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
        part.starts_with(letter)
            && part.ends_with(letter)
            && part.chars().all(|character| letter(character) || "-_.".contains(character))
            && !["..", "__", "._", "_.", "-.", ".-", "-_", "_-"].iter().any(|two| part.contains(two))
    };
    name.split_once('/').is_some_and(|(vendor, project)| is_part(vendor) && is_part(project))
}

/// PIE's rule for the name of an extension (`src/ExtensionName.php`): `^[A-Za-z][a-zA-Z0-9_]+$`.
fn is_extension_name(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[test]
fn pie_takes_the_extension() {
    let file = composer("composer.json");
    assert!(is_package_name(text(&file, "name")), "{file}");
    // `php-ext-zend` would be loaded with `zend_extension`.
    assert_eq!(text(&file, "type"), "php-ext");
    let extension = &file["php-ext"];
    assert!(is_extension_name(text(extension, "extension-name")), "{extension}");
    // What is built and packed has this name, see dev.d/package.sh and the Makefile of phpize.
    assert_eq!(text(extension, "extension-name"), "chatpush");
    assert!(!text(extension, "extension-name").starts_with("ext-"), "PIE asks for the name alone");
    assert_eq!(extension["os-families"], json!(["linux"]));
    assert!(extension.get("os-families-exclude").is_none(), "PIE takes one of both");
    // The binary, or else a build from the sources of the tag.
    assert_eq!(extension["download-url-method"], json!(["pre-packaged-binary", "composer-default"]));
    let build = artifacts::root().join(text(extension, "build-path"));
    assert!(build.join("config.m4").is_file(), "phpize needs config.m4 in {}", build.display());
    // An extension may require PHP and extensions, not packages.
    let required = file["require"].as_object().expect("an object");
    assert!(required.keys().all(|name| name == "php" || name.starts_with("ext-")), "{required:?}");
}

#[test]
fn stubs_are_a_package_of_their_own() {
    let (extension, stubs) = (composer("composer.json"), composer("packaging/stubs/composer.json"));
    assert!(is_package_name(text(&stubs, "name")), "{stubs}");
    // Composer cannot install an extension, so a project requires the stubs, and `ext-chatpush`.
    assert_eq!(text(&stubs, "type"), "library");
    assert_ne!(text(&stubs, "name"), text(&extension, "name"), "PIE wants names that differ");
    assert!(extension["suggest"].get(text(&stubs, "name")).is_some(), "{extension}");
    // The stubs declare what the extension has, so nothing may load them.
    assert!(stubs.get("autoload").is_none(), "{stubs}");
    for key in ["php", "license", "homepage"] {
        let of = |file: &Value| if key == "php" { file["require"][key].clone() } else { file[key].clone() };
        assert_eq!(of(&stubs), of(&extension), "{key}");
    }
}

#[test]
fn rules_for_names_refuse_other_names() {
    for name in ["chatpush", "Chat/push", "chat/-push", "chat/push_", "chat/a..b", "chat/a/b"] {
        assert!(!is_package_name(name), "{name}");
    }
    for name in ["", "c", "chat-push", "1chat", "chat.push"] {
        assert!(!is_extension_name(name), "{name}");
    }
}

/// Every file that names the version of a release names the same one.
#[test]
fn versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(text(&composer("js/package.json"), "version"), version);
    // Composer takes the version of an archive from the file inside.
    assert_eq!(text(&composer("packaging/stubs/composer.json"), "version"), version);
    let stubs = fs::read_to_string(artifacts::root().join("php/stubs/chatpush.stub.php")).expect("the stubs");
    assert!(stubs.contains(&format!("Stubs of chatpush {version} ")), "the stubs are of another version");
    let changes = fs::read_to_string(artifacts::root().join("CHANGELOG.md")).expect("the changes");
    assert!(changes.contains(&format!("\n## {version}")), "CHANGELOG.md has no part for {version}");
}
