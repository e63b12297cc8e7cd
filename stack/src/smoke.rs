//! The demo's smoke test: two users over HTTP and WebSocket.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::demo::Person;
use crate::http_client::{HttpClient, Socket};
use crate::mariadb;
use crate::stack::{DATABASE, Stack};

const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs every step and prints it once it has passed.
///
/// # Errors
///
/// At the first step that does not hold, with what was seen instead.
pub async fn run(stack: &Stack, [buyer, seller]: &[Person; 2]) -> anyhow::Result<()> {
    let said = ["Is it still there?", "<b>Hello?</b> \"'; DROP TABLE user; --", "I take it 👍"];
    let (mut one, mut other) = (HttpClient::new(&stack.url()), HttpClient::new(&stack.url()));
    one.enter(buyer.name, &buyer.password, false)?;
    other.enter(seller.name, &seller.password, false)?;
    step("two people sign in, each with cookies of their own");

    let mut socket = one.connect().await?;
    let mut received = Received::default();
    received.until_counter(&mut socket, 0).await?;
    let (id, how) = send(&other, buyer, "Good morning")?;
    ensure!(how == "live", "the message was not live");
    received.until(&mut socket, "Good morning").await?;
    received.until_confirmed(&mut socket, stack, buyer).await?;
    ensure!(unread(stack, buyer).await? == 1, "what is delivered is not counted");
    step(
        "a message to somebody who is there arrives at once, and its row goes when the browser has confirmed it",
    );

    let again = other.call("send.php", &message(buyer, "Good morning", &id))?;
    ensure!(again.json()?["how"] == "live", "the second call answers otherwise: {again:?}");
    ensure!(rows(stack, buyer).await? == 0 && unread(stack, buyer).await? == 1, "it is a second message");
    step("sent again under the same id, it is the same message");

    socket.say(r#"{"read":true}"#).await?;
    received.until_counter(&mut socket, 0).await?;
    step("the buyer has looked, and the counter is 0");

    socket.close().await?;
    one.leave()?;
    until("the buyer is gone", async || Ok(!is_online(&other, buyer)?)).await?;
    step("one closes the page and signs out, and is seen to be gone");

    for (number, text) in (1..).zip(said) {
        ensure!(send(&other, buyer, text)?.1 == "stored", "the message was not stored");
        ensure!(rows(stack, buyer).await? == number, "the row is not there when the call returns");
        ensure!(unread(stack, buyer).await? == number, "the counter is not {number}");
    }
    step("three messages to somebody who is away are in MySQL, and counted, when each call returns");

    one.enter(buyer.name, &buyer.password, false)?;
    let mut socket = one.connect().await?;
    let mut received = Received::default();
    received.until_counter(&mut socket, 3).await?;
    ensure!(received.texts == said, "wrong messages or order: {:?}", received.texts);
    step("they arrive on return, in order, each once, and the unread counter is 3");

    received.until_confirmed(&mut socket, stack, buyer).await?;
    ensure!(unread(stack, buyer).await? == 3, "delivered is not read");
    step("the rows go once the browser has confirmed them");

    let waiting = other.get("waiting.php?receiver_id=1")?.json()?;
    ensure!(waiting["waiting"] == serde_json::json!([]), "the seller does not see that: {waiting}");
    step("and the seller sees that they are delivered");

    ensure!(send(&other, buyer, "Deal")?.1 == "live", "the message was not live");
    received.until(&mut socket, "Deal").await?;
    step("and the talk goes on live");

    let refused = other.form("send.php", &message(buyer, "forged", &new_id()))?;
    ensure!(refused.status == 403, "a forged form was taken: {refused:?}");
    let nobody = Person { id: 999, ..buyer.clone() };
    let refused = other.call("send.php", &message(&nobody, "anybody?", &new_id()))?;
    ensure!(refused.status == 422, "a message to nobody was taken: {refused:?}");
    let mut guest = HttpClient::new(&stack.url());
    ensure!(guest.enter(buyer.name, "not the password", false).is_err(), "a wrong password was taken");
    guest.enter("guest", "long enough", true)?;
    ensure!(guest.get("people.php")?.status == 200, "the new user is not signed in");
    step("forged forms and wrong passwords are refused, and a third person registers");
    Ok(())
}

/// What has arrived on one connection.
#[derive(Debug, Default)]
struct Received {
    ids: Vec<String>,
    texts: Vec<String>,
}

impl Received {
    /// Takes a frame in; the counter, if it was one, whether the daemon's own or the application's.
    fn take(&mut self, frame: &Value) -> anyhow::Result<Option<u64>> {
        if frame["type"] == "unread_count" {
            return Ok(frame["data"].as_u64());
        }
        let content: Value = serde_json::from_str(frame["data"].as_str().context("no content")?)?;
        if content["type"] == "unread_count" {
            return Ok(content["data"].as_u64());
        }
        let id = frame["id"].as_str().context("no id")?.to_owned();
        ensure!(!self.ids.contains(&id), "{id} was shown twice");
        self.ids.push(id);
        self.texts.push(content["text"].as_str().context("no text")?.to_owned());
        Ok(None)
    }

    async fn until_counter(&mut self, socket: &mut Socket, wanted: u64) -> anyhow::Result<()> {
        while self.take(&socket.frame().await?)? != Some(wanted) {}
        Ok(())
    }

    /// Reads on, and so confirms, until no row of the receiver is left.
    async fn until_confirmed(
        &mut self,
        socket: &mut Socket,
        stack: &Stack,
        person: &Person,
    ) -> anyhow::Result<()> {
        let drained = async {
            loop {
                self.take(&socket.frame().await?)?;
            }
        };
        tokio::select! {
            ended = drained => ended,
            gone = until("the rows are gone", async || Ok(rows(stack, person).await? == 0)) => gone,
        }
    }

    async fn until(&mut self, socket: &mut Socket, text: &str) -> anyhow::Result<()> {
        while self.texts.last().is_none_or(|last| last != text) {
            self.take(&socket.frame().await?)?;
        }
        Ok(())
    }
}

fn step(what: &str) {
    println!("ok  {what}");
}

/// Sends a new message; its id, and how it went.
fn send(from: &HttpClient, to: &Person, text: &str) -> anyhow::Result<(String, String)> {
    let id = new_id();
    let page = from.call("send.php", &message(to, text, &id))?;
    let how = page.json()?["how"].as_str().map(str::to_owned);
    Ok((id, how.with_context(|| format!("not sent ({}): {}", page.status, page.text))?))
}

/// The fields of a message, as the chat's script sends them.
fn message(to: &Person, text: &str, id: &str) -> [(&'static str, String); 3] {
    [("receiver_id", to.id.to_string()), ("text", text.to_owned()), ("id", id.to_owned())]
}

fn new_id() -> String {
    std::iter::repeat_with(|| fastrand::char('a'..='z')).take(24).collect()
}

fn is_online(asking: &HttpClient, person: &Person) -> anyhow::Result<bool> {
    let page = asking.get("people.php")?.json()?;
    let people = page["people"].as_array().context("no people")?;
    let found = people.iter().find(|found| found["id"] == person.id).context("they are not in the list")?;
    found["online"].as_bool().context("neither online nor offline")
}

async fn rows(stack: &Stack, person: &Person) -> anyhow::Result<u64> {
    number(stack, &format!("SELECT COUNT(*) FROM offline_message WHERE receiver_id = {}", person.id)).await
}

async fn unread(stack: &Stack, person: &Person) -> anyhow::Result<u64> {
    number(stack, &format!("SELECT unread_count FROM `user` WHERE id = {}", person.id)).await
}

async fn number(stack: &Stack, select: &str) -> anyhow::Result<u64> {
    let text = mariadb::sql(stack.folder(), &format!("USE `{DATABASE}`; {select}")).await?;
    text.trim().parse().with_context(|| format!("{select}: {text}"))
}

async fn until(what: &str, mut probe: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + STEP_TIMEOUT;
    while !probe().await? {
        ensure!(Instant::now() < deadline, "{what}: not within {STEP_TIMEOUT:?}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
