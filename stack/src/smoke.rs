//! The demo's smoke test: two users over HTTP and WebSocket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::demo::Person;
use crate::http_client::{HttpClient, Socket};
use crate::mariadb;
use crate::stack::{DATABASE, Stack};

/// Limit for each state that a step waits for. It is long, because the machine may be busy.
const STEP_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs all steps and prints each that has passed. The mails of the demo come to the file `mail`.
///
/// # Errors
///
/// At the first step that fails, with the actual result.
pub async fn run(stack: &Stack, [buyer, seller]: &[Person; 2], mail: &Path) -> anyhow::Result<()> {
    let texts = ["Is it still there?", "<b>Hello?</b> \"'; DROP TABLE user; --", "I take it 👍"];
    let (mut buyer_client, mut seller_client) =
        (HttpClient::new(&stack.url()), HttpClient::new(&stack.url()));
    buyer_client.sign_in(buyer.name, &buyer.password)?;
    seller_client.sign_in(seller.name, &seller.password)?;
    step("two users sign in");

    let mut socket = buyer_client.connect().await?;
    let mut received = Received::default();
    received.until_counter(&mut socket, 0).await?;
    let (id, how) = send(&seller_client, buyer, "Good morning")?;
    ensure!(how == "live", "the message was not live");
    received.until(&mut socket, "Good morning").await?;
    received.until_confirmed(&mut socket, stack, buyer).await?;
    ensure!(unread(stack, buyer).await? == 1, "a delivered message is not counted");
    step(
        "a message to an online user arrives at once, and its row is deleted after the client's confirmation",
    );

    let again = seller_client.call("send.php", &message(buyer, "Good morning", &id))?;
    ensure!(again.json()?["state"] == "live", "the second call has another result: {again:?}");
    ensure!(
        rows(stack, buyer).await? == 0 && unread(stack, buyer).await? == 1,
        "it was stored as a second message"
    );
    step("a message that is sent again with the same id is not duplicated");

    socket.send(r#"{"read":true}"#).await?;
    received.until_counter(&mut socket, 0).await?;
    step("reading sets the unread counter to 0");

    socket.close().await?;
    buyer_client.sign_out()?;
    until("the buyer is offline", async || Ok(!is_online(&seller_client, buyer)?)).await?;
    step("a user who closes the page and signs out is offline");

    for (number, text) in (1..).zip(texts) {
        ensure!(send(&seller_client, buyer, text)?.1 == "stored", "the message was not stored");
        ensure!(rows(stack, buyer).await? == number, "the row is missing when the call returns");
        ensure!(unread(stack, buyer).await? == number, "the counter is not {number}");
    }
    step("messages to an offline user are in MySQL, and counted, when the calls return");

    until("the buyer has a mail", async || Ok(mails(mail, buyer)? > 0)).await?;
    step("a user who stays away gets a mail");

    buyer_client.sign_in(buyer.name, &buyer.password)?;
    let mut socket = buyer_client.connect().await?;
    let mut received = Received::default();
    received.until_counter(&mut socket, 3).await?;
    ensure!(received.texts == texts, "wrong messages or order: {:?}", received.texts);
    step("they arrive on the next connection, in order, each once, and the unread counter is 3");

    received.until_confirmed(&mut socket, stack, buyer).await?;
    ensure!(unread(stack, buyer).await? == 3, "the counter has changed on delivery");
    step("their rows are deleted after the client's confirmation");

    let waiting = seller_client.get("waiting.php?conversation=1")?.json()?;
    ensure!(waiting["waiting"] == json!({}), "the seller sees undelivered messages: {waiting}");
    step("the seller sees that they are delivered");

    ensure!(send(&seller_client, buyer, "Deal")?.1 == "live", "the message was not live");
    received.until(&mut socket, "Deal").await?;
    step("the next message is live again");

    received.until_confirmed(&mut socket, stack, buyer).await?;
    let kept = [&["Good morning"], &texts[..], &["Deal"]].concat();
    for (client, person, got) in
        [(&buyer_client, seller, Value::Null), (&seller_client, buyer, json!([buyer.id]))]
    {
        let page = client.get(&format!("messages.php?conversation={}", person.id))?.json()?;
        let messages = page["messages"].as_array().context("no messages")?;
        ensure!(messages.iter().map(|message| &message["text"]).eq(&kept), "wrong history: {page}");
        ensure!(messages.iter().all(|message| message["got"] == got), "not delivered to {got}: {page}");
    }
    step("the history on the server has every message once, for both");

    let refused = seller_client.form("send.php", &message(buyer, "forged", &new_id()))?;
    ensure!(refused.status == 403, "a forged form was accepted: {refused:?}");
    let unknown = Person { id: 999, ..buyer.clone() };
    let refused = seller_client.call("send.php", &message(&unknown, "hello?", &new_id()))?;
    ensure!(refused.status == 422, "a message to an unknown user was accepted: {refused:?}");
    let mut guest = HttpClient::new(&stack.url());
    ensure!(guest.sign_in(buyer.name, "not the password").is_err(), "a wrong password was accepted");
    // An id of more digits than the others have.
    mariadb::sql(stack.folder(), &format!("ALTER TABLE `{DATABASE}`.`user` AUTO_INCREMENT = 10")).await?;
    guest.register("guest", "long enough")?;
    step("forged forms and wrong passwords are refused, and a third user registers");

    send(&guest, seller, "Hello")?;
    let page = seller_client.get("people.php")?.json()?;
    let people = page["people"].as_array().context("no people")?;
    let listed = people.iter().find(|person| person["id"] == 10).context("the guest is not listed")?;
    ensure!(listed["last"]["text"] == "Hello", "wrong entry: {listed}");
    ensure!(page["unread"] == json!({ "10": 1 }), "wrong counters: {page}");
    ensure!(mails(mail, buyer)? == 1, "not one mail for all that waited");
    step("the list of people has the last message, and how many are unread");
    Ok(())
}

/// The messages that a connection has received.
#[derive(Debug, Default)]
struct Received {
    ids: Vec<String>,
    texts: Vec<String>,
}

impl Received {
    /// Records a message. Returns the value of an unread counter, sent by the daemon or by the application.
    fn record(&mut self, frame: &Value) -> anyhow::Result<Option<u64>> {
        if frame["type"] == "unread_count" {
            return Ok(frame["data"].as_u64());
        }
        let content: Value = serde_json::from_str(frame["data"].as_str().context("no content")?)?;
        if content["type"] == "unread_count" {
            return Ok(content["data"].as_u64());
        }
        let id = frame["id"].as_str().context("no id")?.to_owned();
        ensure!(!self.ids.contains(&id), "{id} was received twice");
        self.ids.push(id);
        self.texts.push(content["text"].as_str().context("no text")?.to_owned());
        Ok(None)
    }

    async fn until_counter(&mut self, socket: &mut Socket, wanted: u64) -> anyhow::Result<()> {
        while self.record(&socket.frame().await?)? != Some(wanted) {}
        Ok(())
    }

    /// Reads, and so confirms, until the receiver has no row left.
    async fn until_confirmed(
        &mut self,
        socket: &mut Socket,
        stack: &Stack,
        person: &Person,
    ) -> anyhow::Result<()> {
        let reading = async {
            loop {
                self.record(&socket.frame().await?)?;
            }
        };
        tokio::select! {
            ended = reading => ended,
            gone = until("the rows are deleted", async || Ok(rows(stack, person).await? == 0)) => gone,
        }
    }

    async fn until(&mut self, socket: &mut Socket, text: &str) -> anyhow::Result<()> {
        while self.texts.last().is_none_or(|last| last != text) {
            self.record(&socket.frame().await?)?;
        }
        Ok(())
    }
}

fn step(what: &str) {
    println!("ok  {what}");
}

/// Sends a new message. Returns its id, and `live` or `stored`.
fn send(from: &HttpClient, to: &Person, text: &str) -> anyhow::Result<(String, String)> {
    let id = new_id();
    let page = from.call("send.php", &message(to, text, &id))?;
    let how = page.json()?["state"].as_str().map(str::to_owned);
    Ok((id, how.with_context(|| format!("not sent ({}): {}", page.status, page.text))?))
}

/// The fields of a message, as the demo's script sends them.
fn message(to: &Person, text: &str, id: &str) -> [(&'static str, String); 3] {
    [("conversation", to.id.to_string()), ("text", text.to_owned()), ("id", id.to_owned())]
}

fn new_id() -> String {
    std::iter::repeat_with(|| fastrand::char('a'..='z')).take(24).collect()
}

fn is_online(client: &HttpClient, person: &Person) -> anyhow::Result<bool> {
    let page = client.get("people.php")?.json()?;
    let people = page["people"].as_array().context("no people")?;
    let found =
        people.iter().find(|found| found["id"] == person.id).context("the user is not in the list")?;
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

/// How many mails a user has got.
fn mails(file: &Path, person: &Person) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(file).context("cannot read the mails")?;
    Ok(text.matches(&format!("To: {}@", person.name)).count())
}

async fn until(what: &str, mut probe: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + STEP_TIMEOUT;
    while !probe().await? {
        ensure!(Instant::now() < deadline, "{what}: not within {STEP_TIMEOUT:?}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
