//! A client of the demo: HTTP with cookies and forms, and a WebSocket.

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

/// Limit for each request, and for each frame.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A client with its own cookies.
#[derive(Debug)]
pub(crate) struct HttpClient {
    agent: Agent,
    url: String,
    csrf: String,
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct Page {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) text: String,
}

impl Page {
    fn read(mut response: Response<Body>) -> anyhow::Result<Self> {
        Ok(Self { status: response.status().as_u16(), text: response.body_mut().read_to_string()? })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON ({}): {}", self.status, self.text))
    }
}

impl HttpClient {
    /// A client without cookies.
    pub(crate) fn new(url: &str) -> Self {
        let config =
            Agent::config_builder().timeout_global(Some(REQUEST_TIMEOUT)).http_status_as_error(false);
        Self { agent: config.build().into(), url: url.to_owned(), csrf: String::new() }
    }

    /// Signs in, which opens the chat page.
    pub(crate) fn sign_in(&mut self, name: &str, password: &str) -> anyhow::Result<()> {
        self.submit_sign_in(name, password, &[])
    }

    /// Registers a new user, which signs them in.
    pub(crate) fn register(&mut self, name: &str, password: &str) -> anyhow::Result<()> {
        self.submit_sign_in(name, password, &[("register", "1")])
    }

    fn submit_sign_in(&mut self, name: &str, password: &str, extra: &[(&str, &str)]) -> anyhow::Result<()> {
        let form = self.get("sign-in.php")?;
        let csrf = between(&form.text, r#"name="csrf" value=""#, "\"").context("the form has no token")?;
        let fields = [&[("csrf", csrf), ("username", name), ("password", password)], extra].concat();
        let page = self.form("sign-in.php", &fields)?;
        let csrf = between(&page.text, "data-csrf=\"", "\"");
        let csrf = csrf.with_context(|| format!("not signed in ({}): {}", page.status, page.text))?;
        csrf.clone_into(&mut self.csrf);
        Ok(())
    }

    /// Signs out.
    pub(crate) fn sign_out(&mut self) -> anyhow::Result<()> {
        let csrf = std::mem::take(&mut self.csrf);
        let page = self.form("sign-out.php", &[("csrf", &csrf)])?;
        ensure!(page.text.contains("Sign in"), "not signed out ({}): {}", page.status, page.text);
        Ok(())
    }

    /// Requests a page.
    pub(crate) fn get(&self, page: &str) -> anyhow::Result<Page> {
        Page::read(self.agent.get(format!("{}/{page}", self.url)).call()?)
    }

    /// Submits a form without the CSRF header, as an HTML form does.
    pub(crate) fn form(&self, page: &str, fields: &[(&str, impl AsRef<str>)]) -> anyhow::Result<Page> {
        Page::read(self.agent.post(format!("{}/{page}", self.url)).send_form(pairs(fields))?)
    }

    /// Posts to a page as the demo's script does, with the CSRF header.
    pub(crate) fn call(&self, page: &str, fields: &[(&str, impl AsRef<str>)]) -> anyhow::Result<Page> {
        let request = self.agent.post(format!("{}/{page}", self.url)).header("X-CSRF-Token", &self.csrf);
        Page::read(request.send_form(pairs(fields))?)
    }

    /// Opens the WebSocket and calls `online.php`, as the demo's script does.
    pub(crate) async fn connect(&self) -> anyhow::Result<Socket> {
        let token = self.call("token.php", NO_FIELDS)?.json()?;
        let token = token["token"].as_str().context("no token")?;
        let url = format!("{}/ws?token={token}", self.url.replacen("http", "ws", 1));
        let request = ClientRequestBuilder::new(url.parse()?).with_sub_protocol("chatpush.v1");
        let (socket, _) = timeout(REQUEST_TIMEOUT, connect_async(request))
            .await
            .context("the handshake takes too long")??;
        let online = self.call("online.php", NO_FIELDS)?;
        ensure!(online.status == 200, "online.php failed ({}): {}", online.status, online.text);
        Ok(Socket(socket))
    }
}

/// An open WebSocket. It acknowledges each message that is read.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The next frame.
    pub(crate) async fn frame(&mut self) -> anyhow::Result<Value> {
        loop {
            match timeout(REQUEST_TIMEOUT, self.0.next()).await.context("no frame was received")? {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text)?;
                    if frame["id"].is_string() {
                        self.send(&serde_json::json!({ "ack": [frame["id"]] }).to_string()).await?;
                    }
                    return Ok(frame);
                }
                Some(Ok(_)) => {}
                other => bail!("the connection ended: {other:?}"),
            }
        }
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(timeout(REQUEST_TIMEOUT, self.0.send(Message::text(text)))
            .await
            .context("the frame was not sent in time")??)
    }

    /// Closes the connection, as a browser does when the page is closed.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        Ok(self.0.close(None).await?)
    }
}

/// A form without fields.
const NO_FIELDS: &[(&str, &str)] = &[];

fn pairs<'a>(fields: &'a [(&'a str, impl AsRef<str>)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_ref()))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
