//! The demo chat with two registered people.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::process::Command;

use crate::stack::{DATABASE, Stack};
use crate::{artifacts, mariadb};

/// A user who can sign in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The id in the user table.
    pub id: u32,
    /// The user name.
    pub name: &'static str,
    /// The password, random for each start.
    pub password: String,
}

/// The folder of the demo's pages.
fn pages() -> PathBuf {
    artifacts::root().join("php/demo/public")
}

/// Starts the demo with two people, and serves `more` pages beside it.
pub async fn start(port: Option<u16>, more: &[(&str, &Path)]) -> anyhow::Result<(Stack, [Person; 2])> {
    let demo = pages();
    let stack = Stack::start(port, &[&[("/", demo.as_path())], more].concat()).await?;
    let people = seed(stack.folder()).await?;
    Ok((stack, people))
}

/// Inserts the demo's people into an empty user table.
async fn seed(folder: &Path) -> anyhow::Result<[Person; 2]> {
    let person = |id, name| {
        let password = std::iter::repeat_with(fastrand::lowercase).take(10).collect();
        Person { id, name, password }
    };
    let people = [person(1, "Mira"), person(2, "Tom")];
    for Person { id, name, password } in &people {
        let hash = hash(password).await?;
        let insert = format!(
            "INSERT INTO `{DATABASE}`.`user` (id, username, password) VALUES ({id}, '{name}', '{hash}')"
        );
        mariadb::sql(folder, &insert).await?;
    }
    Ok(people)
}

async fn hash(password: &str) -> anyhow::Result<String> {
    let script = "echo password_hash($argv[1], PASSWORD_DEFAULT);";
    let output = Command::new("php").args(["-r", script, "--", password]).output().await;
    Ok(String::from_utf8(output.context("cannot start php")?.stdout)?)
}
