//! `chatpushd log FILTER`: changes what the running daemon logs, over its admin listener.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::StatusCode;

use crate::base::output;
use crate::config::Config;
use crate::net::https;

/// How long the daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Changes the filter of the running daemon, or prints it if there is none to set. Prints what it is afterwards.
///
/// # Errors
///
/// When no daemon answers at `admin_listen`, or it refuses the filter.
pub async fn change(config: &Config, filter: Option<String>) -> anyhow::Result<ExitCode> {
    let url = format!("http://{}/log", config.admin_listen);
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(https::client_config(Vec::new())?)
        .timeout(ANSWER_TIMEOUT)
        .no_proxy()
        .build()?;
    let mut request = match filter {
        Some(filter) => client.put(&url).body(filter),
        None => client.get(&url),
    };
    if let Some(token) = &config.live.get().admin_token {
        request = request.bearer_auth(token.as_str());
    }
    let answer = request.send().await;
    let answer =
        answer.with_context(|| format!("no daemon answers at {url} (admin_listen): is it running?"))?;
    let status = answer.status();
    let text = answer.text().await.context("the answer breaks off")?;
    anyhow::ensure!(
        status != StatusCode::UNAUTHORIZED,
        "the daemon has another admin_token than this configuration"
    );
    anyhow::ensure!(status.is_success(), "{}", text.trim());
    output::line(text.trim());
    Ok(ExitCode::SUCCESS)
}
