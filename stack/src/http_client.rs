//! Somebody at a browser, without the browser: cookies, forms, and a WebSocket.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long the visitor waits for any one thing.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// One visitor with cookies of their own.
#[derive(Debug)]
pub struct HttpClient {
    agent: Agent,
    url: String,
    csrf: String,
}

/// A page's answer.
#[derive(Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Page {
    fn read(mut response: Response<Body>) -> anyhow::Result<Self> {
        Ok(Self { status: response.status().as_u16(), text: response.body_mut().read_to_string()? })
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON ({}): {}", self.status, self.text))
    }
}

impl HttpClient {
    /// Somebody who has not been here before.
    pub fn new(url: &str) -> Self {
        let config =
            Agent::config_builder().timeout_global(Some(REQUEST_TIMEOUT)).http_status_as_error(false);
        Self { agent: config.build().into(), url: url.to_owned(), csrf: String::new() }
    }

    /// Signs in, or registers, and opens the chat page.
    pub fn enter(&mut self, name: &str, password: &str, register: bool) -> anyhow::Result<()> {
        let door = self.get("sign-in.php")?;
        let csrf = between(&door.text, r#"name="csrf" value=""#, "\"").context("the form has no token")?;
        let mut fields = vec![("csrf", csrf), ("username", name), ("password", password)];
        if register {
            fields.push(("register", "1"));
        }
        let page = self.form("sign-in.php", &fields)?;
        let csrf = between(&page.text, "data-csrf=\"", "\"");
        let csrf = csrf.with_context(|| format!("not signed in ({}): {}", page.status, page.text))?;
        csrf.clone_into(&mut self.csrf);
        Ok(())
    }

    /// Signs out.
    pub fn leave(&mut self) -> anyhow::Result<()> {
        let csrf = std::mem::take(&mut self.csrf);
        let page = self.form("sign-out.php", &[("csrf", &csrf)])?;
        ensure!(page.text.contains("Sign in"), "not signed out ({}): {}", page.status, page.text);
        Ok(())
    }

    /// Reads a page.
    pub fn get(&self, page: &str) -> anyhow::Result<Page> {
        Page::read(self.agent.get(format!("{}/{page}", self.url)).call()?)
    }

    /// Sends a form, as HTML does.
    pub fn form(&self, page: &str, fields: &[(&str, impl AsRef<str>)]) -> anyhow::Result<Page> {
        Page::read(self.agent.post(format!("{}/{page}", self.url)).send_form(pairs(fields))?)
    }

    /// Calls a page as the chat's script does.
    pub fn call(&self, page: &str, fields: &[(&str, impl AsRef<str>)]) -> anyhow::Result<Page> {
        let request = self.agent.post(format!("{}/{page}", self.url)).header("X-CSRF-Token", &self.csrf);
        Page::read(request.send_form(pairs(fields))?)
    }

    /// Opens the chat's WebSocket and calls the sign-in hook, as the chat's script does.
    pub async fn connect(&self) -> anyhow::Result<Socket> {
        let token = self.call("token.php", NOTHING)?.json()?;
        let token = token["token"].as_str().context("no token")?;
        let url = format!("{}/ws?token={token}", self.url.replacen("http", "ws", 1));
        let request = ClientRequestBuilder::new(url.parse()?).with_sub_protocol("chatpush.v1");
        let (socket, _) = timeout(REQUEST_TIMEOUT, connect_async(request))
            .await
            .context("the handshake takes too long")??;
        let online = self.call("online.php", NOTHING)?;
        ensure!(online.status == 200, "the sign-in hook failed ({}): {}", online.status, online.text);
        Ok(Socket(socket))
    }
}

/// An open WebSocket, which confirms what is read from it.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The next frame.
    pub async fn frame(&mut self) -> anyhow::Result<Value> {
        loop {
            match timeout(REQUEST_TIMEOUT, self.0.next()).await.context("no frame came")? {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text)?;
                    if frame["id"].is_string() {
                        self.say(&serde_json::json!({ "ack": [frame["id"]] }).to_string()).await?;
                    }
                    return Ok(frame);
                }
                Some(Ok(_)) => {}
                other => bail!("the connection ended: {other:?}"),
            }
        }
    }

    /// Sends a text.
    pub async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(timeout(REQUEST_TIMEOUT, self.0.send(Message::text(text)))
            .await
            .context("the socket takes nothing")??)
    }

    /// Closes it as a browser does that leaves the page.
    pub async fn close(mut self) -> anyhow::Result<()> {
        Ok(self.0.close(None).await?)
    }
}

/// No fields.
const NOTHING: &[(&str, &str)] = &[];

fn pairs<'a>(fields: &'a [(&'a str, impl AsRef<str>)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_ref()))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
