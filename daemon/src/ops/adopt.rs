//! `chatpushd adopt`: says what becomes of the rows that were in the message table before chatpush.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{AdoptChoice, EX_CONFIG};
use crate::config::Config;
use crate::store::adoption::Decision;
use crate::store::{Store, StoreError};

/// Decides, and prints what was decided; with `json` as one object. Progress goes to standard error. `again`: also if
/// it was decided before.
///
/// # Errors
///
/// When MySQL cannot be reached, or its tables cannot be used.
pub async fn perform(
    config: &Config,
    choice: AdoptChoice,
    again: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let Some(mysql) = &config.mysql else {
        println!("nothing to do: storage = \"none\" uses no tables");
        return Ok(ExitCode::SUCCESS);
    };
    let decision = decision(choice);
    let store = Store::new(mysql, &config.prefix);
    let progress = |done| eprintln!("{done} rows are done");
    let adopted = store.adopt(decision, again, progress).await;
    store.close().await;
    let rows = match adopted {
        Err(error @ StoreError::Unfit(_)) => {
            eprintln!("{error}");
            return Ok(ExitCode::from(EX_CONFIG));
        }
        adopted => adopted?,
    };
    let table = mysql.names.offline_message.bare();
    if json {
        let printed = json!({
            "table": table, "decision": decision.word(), "rows": rows.waiting, "highest_id": rows.highest,
        });
        println!("{printed}");
    } else {
        let what = match (decision, &mysql.history) {
            (Decision::New | Decision::Deliver, _) => "will be delivered",
            (Decision::Mark, Some(_)) => "are marked as delivered",
            (Decision::Mark, None) => "are deleted",
            (Decision::Keep, _) => "are left alone",
        };
        println!("{table}: {} rows up to id {} {what}", rows.waiting, rows.highest);
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
