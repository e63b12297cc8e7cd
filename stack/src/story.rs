//! The demo's whole story, lived through without a person.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::demo::Person;
use crate::mariadb;
use crate::stack::{DATABASE, Stack};
use crate::visitor::{Socket, Visitor};

const PATIENCE: Duration = Duration::from_secs(10);

/// Plays the story and prints each step that holds.
///
/// # Errors
///
/// At the first step that does not hold, with what was seen instead.
pub async fn play(stack: &Stack, [buyer, seller]: &[Person; 2]) -> anyhow::Result<()> {
    let said = ["Is it still there?", "<b>Hello?</b> \"'; DROP TABLE user; --", "I take it 👍"];
    let (mut one, mut other) = (Visitor::new(&stack.url()), Visitor::new(&stack.url()));
    one.enter(buyer.name, &buyer.password, false)?;
    other.enter(seller.name, &seller.password, false)?;
    step("two people sign in, each with cookies of their own");

    let mut socket = one.connect().await?;
    let mut received = Received::default();
    received.until_counter(&mut socket, 0).await?;
    ensure!(send(&other, buyer, "Good morning")? == "pushed", "the message was not pushed");
    received.until(&mut socket, "Good morning").await?;
    ensure!(rows(stack, buyer).await? == 0, "a pushed message is in the table");
    step("a message to somebody who is there arrives at once and is not stored");

    socket.close().await?;
    one.leave()?;
    until("the buyer is gone", async || Ok(!is_online(&other, buyer)?)).await?;
    step("one closes the page and signs out, and is seen to be gone");

    for (number, text) in (1..).zip(said) {
        ensure!(send(&other, buyer, text)? == "stored", "the message was not stored");
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

    let drained = async {
        loop {
            received.take(&socket.frame().await?)?;
        }
    };
    let gone = until("the rows are gone", async || Ok(rows(stack, buyer).await? == 0));
    tokio::select! {
        ended = drained => { let ended: anyhow::Result<()> = ended; ended?; }
        gone = gone => gone?,
    }
    ensure!(unread(stack, buyer).await? == 3, "delivered is not read");
    step("the rows go once the browser has confirmed them");

    ensure!(one.call("view.php", &[])?.json()?["unread"] == 0, "the view page failed");
    ensure!(unread(stack, buyer).await? == 0, "the counter is not 0");
    step("the conversation is opened and the counter is 0");

    ensure!(send(&other, buyer, "Deal")? == "pushed", "the message was not pushed");
    received.until(&mut socket, "Deal").await?;
    step("and the talk goes on live");

    let refused = other.form("send.php", &[("receiver_id", "1"), ("text", "forged")])?;
    ensure!(refused.status == 403, "a forged form was taken: {refused:?}");
    let refused = other.call("send.php", &[("receiver_id", "999"), ("text", "anybody?")])?;
    ensure!(refused.status == 422, "a message to nobody was taken: {refused:?}");
    let mut guest = Visitor::new(&stack.url());
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

fn send(from: &Visitor, to: &Person, text: &str) -> anyhow::Result<String> {
    let page = from.call("send.php", &[("receiver_id", &to.id.to_string()), ("text", text)])?;
    let how = page.json()?["how"].as_str().map(str::to_owned);
    how.with_context(|| format!("not sent ({}): {}", page.status, page.text))
}

fn is_online(asking: &Visitor, person: &Person) -> anyhow::Result<bool> {
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
    let deadline = Instant::now() + PATIENCE;
    while !probe().await? {
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
