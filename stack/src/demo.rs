//! The demo chat with two registered people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::control::{self, Control};
use crate::daemon::Daemon;
use crate::stack::{DATABASE, Stack};
use crate::{artifacts, folder, mariadb};

/// The start of the name of a demo's control socket; the port of its pages follows.
const SOCKET: &str = "demo.sock.";

/// The names of the people who are registered.
const NAMES: [&str; 2] = ["Mira", "Tom"];

/// What the demo wants of the daemon, beside keys for Web Push.
const SETTINGS: [(&str, &str); 5] = [
    ("CHATPUSH_RECEIPTS", "true"),
    ("CHATPUSH_CARBONS", "true"),
    ("CHATPUSH_UNREAD_BY_CONVERSATION", "true"),
    // Seconds after which a user who is away is told.
    ("CHATPUSH_NOTIFY_AFTER", "5"),
    ("CHATPUSH_WEB_PUSH_SUBJECT", "mailto:demo@chat.example"),
];

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

/// A file or folder of the demo.
fn part(name: &str) -> PathBuf {
    artifacts::root().join("php/demo").join(name)
}

/// Starts the demo with two people, and serves `more` pages beside it.
pub async fn start(port: Option<u16>, more: &[(&str, &Path)]) -> anyhow::Result<(Stack, [Person; 2])> {
    let pages = part("public");
    let hint = format!(
        "This demo has two users, {}. The terminal in which it runs shows their passwords. \
         Or register as somebody else.",
        NAMES.join(" and ")
    );
    let variables = [("CHAT_SIGN_IN_HINT", hint)];
    let pages = [&[("/", pages.as_path())], more].concat();
    let keys = vapid().await?;
    let keys = keys.iter().map(|(name, key)| (*name, key.as_str()));
    let settings: Vec<_> = SETTINGS.into_iter().chain(keys).collect();
    let stack = Stack::start(port, &pages, &variables, &settings).await?;
    let schema = std::fs::read_to_string(part("schema.sql")).context("cannot read the demo's tables")?;
    mariadb::sql(stack.folder(), &format!("USE `{DATABASE}`;\n{schema}")).await?;
    let people = seed(stack.folder()).await?;
    Ok((stack, people))
}

/// A new pair of keys for Web Push, as settings.
async fn vapid() -> anyhow::Result<[(&'static str, String); 2]> {
    let printed = Daemon::command(&artifacts::root(), &[], &["vapid"]).await?;
    let table = String::from_utf8(printed.stdout)?;
    let key = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.and_then(|line| line.strip_suffix('"'))
            .map(str::to_owned)
            .context("chatpushd vapid prints no keys")
    };
    Ok([
        ("CHATPUSH_WEB_PUSH_PUBLIC_KEY", key("public_key")?),
        ("CHATPUSH_WEB_PUSH_PRIVATE_KEY", key("private_key")?),
    ])
}

/// Listens for commands, under a name by which [`command`] finds it.
pub fn control(stack: &Stack) -> anyhow::Result<Control> {
    Control::listen(stack, &format!("{SOCKET}{}", stack.port()))
}

/// Sends a command to the demo that runs, on this port if there are several.
///
/// # Errors
///
/// If no demo runs there, or several run and no port is given; the text says what to do.
pub async fn command(port: Option<u16>, line: &str) -> anyhow::Result<()> {
    let mut running = running().await;
    let ports = running.keys().map(u16::to_string).collect::<Vec<_>>().join(" and ");
    let found = match (port, running.len()) {
        (_, 0) => bail!("no demo runs, or it is not ready yet; ./dev demo starts one"),
        (Some(port), _) => {
            running.remove(&port).with_context(|| format!("no demo runs on port {port}, only on {ports}"))?
        }
        (None, 1) => running.pop_first().context("no demo runs")?.1,
        (None, _) => bail!("demos run on the ports {ports}; choose one with --port PORT"),
    };
    control::command(found, line).await
}

/// A connection to each demo that runs, by port. Nobody listens on the socket of a demo that has ended.
async fn running() -> BTreeMap<u16, UnixStream> {
    let mut running = BTreeMap::new();
    for socket in folder::all().iter().flat_map(|folder| folder::entries(folder)) {
        let name = socket.file_name().unwrap_or_default().to_string_lossy();
        let Some(Ok(port)) = name.strip_prefix(SOCKET).map(str::parse) else { continue };
        if let Ok(stream) = UnixStream::connect(&socket).await {
            running.insert(port, stream);
        }
    }
    running
}

/// Inserts the demo's people into an empty user table.
async fn seed(folder: &Path) -> anyhow::Result<[Person; 2]> {
    let person = |id, name| {
        let password = std::iter::repeat_with(fastrand::lowercase).take(10).collect();
        Person { id, name, password }
    };
    let people = [person(1, NAMES[0]), person(2, NAMES[1])];
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
