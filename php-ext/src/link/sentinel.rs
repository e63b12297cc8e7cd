//! Connecting to whatever server Sentinels name as the master, and following it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use chatpush_resp::Value;
use chatpush_wire::address::{Address, Endpoint, Location, Sentinels};

use super::answer::Answer;
use super::command;
use super::connection::Connection;
use super::error::LinkError;
use super::stream::Stream;

/// How long a connection is used before a Sentinel is asked again, together with a call. An old master that is cut
/// off from them answers on as one.
const KNOWN: Duration = Duration::from_secs(10);

thread_local! {
    /// The number of the Sentinel that answered last: the others may be dead, which takes time to find out.
    static FIRST: Cell<usize> = const { Cell::new(0) };
}

/// Asks one Sentinel after the other, and connects to the first server that can be used as the master: one that was
/// cut off may name the last master. Each gets its share of the time that is left, and so does the server.
pub(super) fn open(
    sentinels: &Sentinels,
    address: &Address,
    unacknowledged: Duration,
    deadline: Instant,
) -> Result<Connection, LinkError> {
    let mut tried = Vec::new();
    let mut last = None;
    for (rest, number, sentinel) in in_turn(sentinels) {
        let server = match named_by(&sentinel, sentinels, address, share(deadline, rest + 1)) {
            Ok(server) if tried.contains(&server) => continue,
            Ok(server) => server,
            Err(cause) => {
                last.get_or_insert_with(|| LinkError::Sentinel(Box::new(cause)));
                continue;
            }
        };
        match Connection::open_to(&server, address, unacknowledged, share(deadline, rest)) {
            Ok(connection) => {
                FIRST.set(number);
                return Ok(connection);
            }
            Err(cause @ (LinkError::Redis(_) | LinkError::Timeout)) => last = Some(cause),
            Err(cause) => last = Some(LinkError::Master(server.to_string(), Box::new(cause))),
        }
        tried.push(server);
    }
    Err(last.unwrap_or(LinkError::Timeout))
}

/// Whether Sentinels name another server by now than the connection's. One of them is asked, now and then, for `longest`
/// or half of the time that is left, and it counts only if it answers.
pub(super) fn is_replaced(connection: &mut Connection, longest: Duration, deadline: Instant) -> bool {
    let has_sentinels = matches!(connection.address().location, Location::Sentinel(_));
    if !has_sentinels || connection.master_age() < KNOWN {
        return false;
    }
    connection.set_master_known();
    let address = connection.address().clone();
    let Location::Sentinel(sentinels) = &address.location else { return false };
    let deadline = share(deadline, 2).min(Instant::now() + longest);
    for (rest, number, sentinel) in in_turn(sentinels) {
        if let Ok(server) = named_by(&sentinel, sentinels, &address, share(deadline, rest + 1)) {
            FIRST.set(number);
            return server != *connection.endpoint();
        }
    }
    false
}

/// Each Sentinel with its number, and how many are left with it.
fn in_turn(sentinels: &Sentinels) -> impl Iterator<Item = (u32, usize, Endpoint)> {
    let endpoints: Vec<_> = sentinels.endpoints().enumerate().collect();
    let count = endpoints.len();
    let first = FIRST.get() % count.max(1);
    let rest = (1..=u32::try_from(count).unwrap_or(u32::MAX)).rev();
    let in_turn = endpoints.into_iter().cycle().skip(first).take(count);
    rest.zip(in_turn).map(|(rest, (number, endpoint))| (rest, number, endpoint))
}

/// When a share of the time that is left has passed.
fn share(deadline: Instant, shares: u32) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / shares
}

/// The server that a Sentinel names.
fn named_by(
    sentinel: &Endpoint,
    sentinels: &Sentinels,
    address: &Address,
    deadline: Instant,
) -> Result<Endpoint, LinkError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut connection =
        Connection::on(Stream::connect(sentinel, left, deadline)?, sentinel.clone(), address);
    let mut question = Vec::new();
    command(&mut question, &[b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", sentinels.master.as_bytes()]);
    connection.send(&question, deadline)?;
    let answer = match connection.receive(deadline)?.into_result() {
        // One account serves for Sentinels and servers. It is named only if a Sentinel wants one.
        Err(LinkError::Redis(error)) if error.needs_login() && address.password.is_some() => {
            let mut commands = Vec::new();
            connection.log_in(&mut commands);
            commands.extend(question);
            connection.send(&commands, deadline)?;
            connection.receive(deadline)?.into_result()?;
            connection.receive(deadline)?.into_result()?
        }
        answer => answer?,
    };
    if answer.0 == Value::Nil {
        return Err(LinkError::UnknownMaster(sentinels.master.clone()));
    }
    let mut parts = answer.into_array()?.into_iter().map(Answer::into_bytes);
    let (Some(host), Some(port)) = (parts.next(), parts.next()) else { return Err(LinkError::TooShort) };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| LinkError::NotResp);
    let port = text(port?)?.parse().map_err(|_| LinkError::NotResp)?;
    Ok(sentinels.endpoint(text(host?)?, port))
}
