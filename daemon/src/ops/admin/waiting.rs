//! `GET /waiting`: the dead letters, and the webhooks and notifications that were not accepted, with their reasons.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::{Admin, json};
use crate::base::backoff::Failure as _;
use crate::ops::{dead_letters, webhooks};

/// Most of each that are shown.
const SHOWN: u32 = 50;

#[derive(Debug, Default, Serialize)]
struct Waiting {
    dead_letters: Vec<Value>,
    webhooks: Vec<Value>,
    /// Why the last webhook of this daemon was not accepted.
    webhook_error: Option<String>,
    /// Why a browser of a user who is due could not be told.
    web_push_error: Option<String>,
    /// Why this cannot be read.
    error: Option<String>,
}

pub(super) async fn show(State(Admin { services, .. }): State<Admin>) -> Response {
    let mut waiting = Waiting { webhook_error: services.webhook_error.get(), ..Waiting::default() };
    if let Some(store) = &services.store {
        let ids = services.config.user_id_type;
        match store.last_dead_letters(SHOWN).await {
            Ok(found) => {
                waiting.dead_letters =
                    found.iter().map(|letter| dead_letters::as_json(letter, ids)).collect();
            }
            Err(error) => waiting.error = Some(error.report()),
        }
        match webhooks::waiting(&services.config, store, SHOWN).await {
            Ok(found) => waiting.webhooks = found.iter().map(webhooks::as_json).collect(),
            Err(error) => waiting.error = Some(error.report()),
        }
        if services.config.web_push.is_some() {
            match store.push_error().await {
                Ok(found) => waiting.web_push_error = found,
                Err(error) => waiting.error = Some(error.report()),
            }
        }
    }
    json(&waiting)
}
