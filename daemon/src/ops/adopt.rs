//! `chatpushd adopt`: says what becomes of the rows that were in the message table before chatpush.

use std::process::ExitCode;

use serde_json::json;

use crate::base::output;
use crate::cli::{AdoptChoice, EX_CONFIG, EX_USAGE};
use crate::config::Config;
use crate::store::adoption::Decision;
use crate::store::{Store, StoreError};

/// What the operator has confirmed.
#[derive(Clone, Copy, Debug)]
pub struct Meant {
    /// That rows are deleted.
    pub delete: bool,
    /// That it is decided although it was before.
    pub again: bool,
}

/// Decides, and prints what was decided; with `json` as one object. Progress goes to standard error.
///
/// # Errors
///
/// When MySQL cannot be reached, or its tables cannot be used.
pub async fn perform(
    config: &Config,
    choice: AdoptChoice,
    Meant { delete, again }: Meant,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let Some(mysql) = &config.mysql else {
        output::line("nothing to do: storage = \"none\" uses no tables");
        return Ok(ExitCode::SUCCESS);
    };
    let decision = decision(choice);
    let table = mysql.names.offline_message.bare();
    match (decision, &mysql.history, delete) {
        (Decision::Mark, None, false) => {
            output::error_line(format_args!(
                "without a history, --mark DELETES the rows of {table} that wait. If {table} is your history, set \
                 [mysql.history] first, and --mark marks them. If the rows may go: `chatpushd adopt --mark --delete`"
            ));
            return Ok(ExitCode::from(EX_USAGE));
        }
        (Decision::Mark, Some(_), true) => {
            output::error_line(format_args!(
                "{table} is a history ([mysql.history]): --mark marks its rows; leave --delete out"
            ));
            return Ok(ExitCode::from(EX_USAGE));
        }
        _ => {}
    }
    let store = Store::new(mysql, &config.prefix);
    let progress = |done| output::error_line(format_args!("{done} rows are done"));
    let adopted = store.adopt(decision, again, progress).await;
    store.close().await;
    let rows = match adopted {
        Err(error @ StoreError::Unfit(_)) => {
            output::error_line(error);
            return Ok(ExitCode::from(EX_CONFIG));
        }
        adopted => adopted?,
    };
    if json {
        let printed = json!({
            "table": table, "decision": decision.word(), "rows": rows.waiting, "highest_id": rows.highest,
        });
        output::line(printed);
    } else {
        let what = match (decision, &mysql.history) {
            (Decision::New | Decision::Deliver, _) => "will be delivered",
            (Decision::Mark, Some(_)) => "are marked as delivered",
            (Decision::Mark, None) => "are deleted",
            (Decision::Keep, _) => "are left alone",
        };
        output::line(format_args!("{table}: {} rows up to id {} {what}", rows.waiting, rows.highest));
    }
    Ok(ExitCode::SUCCESS)
}

fn decision(choice: AdoptChoice) -> Decision {
    match choice {
        AdoptChoice { mark: true, .. } => Decision::Mark,
        AdoptChoice { keep: true, .. } => Decision::Keep,
        AdoptChoice { .. } => Decision::Deliver,
    }
}
