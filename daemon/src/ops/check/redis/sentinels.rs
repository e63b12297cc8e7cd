//! Sentinels: whether all of them answer and name the same master, and whether that needs its replica.

use std::collections::{BTreeSet, HashMap};

use chatpush_wire::address::{Address, Location};

use crate::base::backoff::Failure as _;
use crate::broker::sentinels;
use crate::ops::check::Finding;

const NAME: &str = "Redis Sentinels";

/// With fewer of them, the end of one leaves no majority that could replace the master.
const ENOUGH: usize = 3;

/// A Sentinel, and the server that it names or why it names none.
type Told = (String, Result<String, String>);

/// Nothing if the address is that of a server.
pub(super) async fn check(address: &Address) -> Option<Finding> {
    let Location::Sentinel(sentinels) = &address.location else { return None };
    let text = |(host, port): (String, u16)| format!("{host}:{port}");
    let told = sentinels::each(sentinels, address)
        .await
        .into_iter()
        .map(|(sentinel, named)| (text(sentinel), named.map(text).map_err(|error| error.report())));
    Some(judge(&told.collect::<Vec<_>>()))
}

fn judge(told: &[Told]) -> Finding {
    let named: BTreeSet<_> = told.iter().filter_map(|(_, named)| named.as_ref().ok()).collect();
    let silent: Vec<_> = told
        .iter()
        .filter_map(|(sentinel, named)| Some(format!("{sentinel}: {}", named.as_ref().err()?)))
        .collect();
    let named: Vec<_> = named.into_iter().cloned().collect();
    match (named.as_slice(), silent.as_slice()) {
        ([], _) => Finding::wrong(NAME, silent.join("; ")),
        ([master], []) if told.len() < ENOUGH => Finding::warning(
            NAME,
            format!(
                "{} in the address name the master {master}; name at least {ENOUGH}, each on a machine of its own",
                told.len()
            ),
        ),
        ([master], []) => Finding::fine(NAME, format!("{} name the master {master}", told.len())),
        ([_], silent) => Finding::warning(NAME, silent.join("; ")),
        (masters, _) => Finding::warning(
            NAME,
            format!("they name different masters: {}; is a failover under way?", masters.join(", ")),
        ),
    }
}

/// Whether the master takes writes while it has no replica.
pub(super) fn replicas(settings: &HashMap<String, String>) -> Finding {
    const NAME: &str = "Redis replicas";
    match settings.get("min-replicas-to-write").map(String::as_str) {
        Some("0") => Finding::warning(
            NAME,
            "min-replicas-to-write is 0: a master that is cut off takes messages that are lost with it, beside \
             those that were not replicated; CONFIG SET min-replicas-to-write 1",
        ),
        Some(count) => Finding::fine(NAME, format!("min-replicas-to-write is {count}")),
        None => Finding::warning(NAME, "min-replicas-to-write cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::Status;

    fn judged(told: &[Result<&str, &str>]) -> (Status, String) {
        let told = told.iter().enumerate().map(|(number, named)| {
            (format!("s{number}:26379"), named.map(str::to_owned).map_err(str::to_owned))
        });
        let finding = judge(&told.collect::<Vec<_>>());
        (finding.status, finding.text)
    }

    #[test]
    fn sentinels_that_agree_are_fine_and_others_are_named() {
        assert_eq!(judged(&[Ok("a:1"); 3]).0, Status::Ok);
        assert_eq!(judged(&[Ok("a:1"); 2]).0, Status::Warning);
        let (status, text) = judged(&[Ok("a:1"), Ok("a:1"), Err("refused")]);
        assert_eq!((status, text.as_str()), (Status::Warning, "s2:26379: refused"));
        let (status, text) = judged(&[Ok("a:1"), Ok("b:1"), Ok("b:1")]);
        assert!(status == Status::Warning && text.contains("a:1, b:1"), "{text}");
        assert_eq!(judged(&[Err("refused"), Err("refused")]).0, Status::Wrong);
    }

    #[test]
    fn master_without_a_need_for_replicas_is_warned_of() {
        let with = |count: &str| HashMap::from([("min-replicas-to-write".to_owned(), count.to_owned())]);
        assert_eq!(replicas(&with("0")).status, Status::Warning);
        assert_eq!(replicas(&with("1")).status, Status::Ok);
        assert_eq!(replicas(&HashMap::new()).status, Status::Warning);
    }
}
