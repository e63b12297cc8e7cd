//! Users who watch 200 others each, while some of those come and go. The other peers have no presence of
//! contacts without code of one's own, so chatpush is measured alone.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use chatpush_wire::grant;
use chatpush_wire::id::UserId;
use chatpush_wire::room::Room;
use chatpush_wire::token::Secret;

use crate::bench_env::SECRET;
use crate::budget::{Budget, Rule};
use crate::clients::{Clients, ConnectOptions};
use crate::connect_spec::{ConnectSpec, Step};
use crate::peer::Peer;
use crate::peers::PeerName;
use crate::publisher::OpenLoop;
use crate::scenarios::{Bench, CONTENT_BYTES, CpuMeter, IDLE_TIMEOUT, Outcome};
use crate::usage;

/// Peers of each user.
const PEERS: u32 = 200;
/// Peers of each user who come and go.
const COMING: u32 = 10;
/// The users who keep chatting: the first, their number, and their messages per second.
const LIVE: (u32, u32, u32) = (60_001, 200, 200);
/// The number of the publisher of the live messages.
const LIVE_PUBLISHER: u32 = 900;

const MEMORY: &str = "memory per connection for 200 peers";
const OF_CONNECTION: [&str; 2] =
    ["memory per connection without peers", "memory per connection with 200 peers"];

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let users = bench.choose(10_000, 500);
    let coming = users / 20;
    bench.run_rounds(
        &mut outcome,
        |name| name == PeerName::Chatpush,
        |name, outcome| {
            bench.env.clear_messages()?;
            let mut memory = [0.0; 2];
            for (index, granted) in [false, true].into_iter().enumerate() {
                // A daemon of its own: memory that connections have given back is used for the next ones.
                let peer = name.start(bench.env)?;
                memory[index] = memory_of_each(bench, &peer, (users, coming), granted, outcome)?;
                let metric = OF_CONNECTION[index];
                outcome.metrics.record(metric, "KiB", name.title(), memory[index] / 1024.0);
            }
            let more = (memory[1] - memory[0]).max(0.0);
            outcome.metrics.record(MEMORY, "KiB", name.title(), more / 1024.0);
            churn(bench, &name.start(bench.env)?, name.title(), (users, coming), outcome)
        },
    );
    outcome.notes.push(format!(
        "{users} users with {PEERS} peers each; {coming} users, {COMING} of them among the peers of each, \
         connect and disconnect again and again"
    ));
    outcome.budgets = vec![Budget { metric: MEMORY, rule: Rule::AtMost(2.0), goal: 1.0 }];
    Ok(outcome)
}

/// Connects all users, who watch their peers if that is granted. Returns the memory of the servers for each.
fn memory_of_each(
    bench: &Bench<'_>,
    peer: &Peer,
    (users, coming): (u32, u32),
    granted: bool,
    outcome: &mut Outcome,
) -> anyhow::Result<f64> {
    let pids = peer.pids();
    // What the servers allocate only once, for connections and for grants.
    drop(Clients::connect(&watchers(peer, 1..=50, users, coming, granted)?, ConnectOptions::default())?);
    let before = usage::memory(&pids);
    let specs = watchers(peer, 1..=users, users, coming, granted)?;
    let began = Instant::now();
    let _clients = Clients::connect(&specs, ConnectOptions::default())?;
    if granted {
        let rate = f64::from(users) / began.elapsed().as_secs_f64();
        outcome.metrics.record(
            "connections told of all their peers",
            "1/s",
            PeerName::Chatpush.title(),
            rate,
        );
    }
    std::thread::sleep(Duration::from_secs(bench.choose(5, 1)));
    Ok((usage::memory(&pids) - before) / f64::from(users))
}

/// Some users come and go, and are watched, while others chat.
fn churn(
    bench: &Bench<'_>,
    peer: &Peer,
    title: &str,
    (users, coming): (u32, u32),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let metrics = &mut outcome.metrics;
    let live = LIVE.0..LIVE.0 + LIVE.1;
    let mut chatting = Clients::connect(&peer.connect_specs(live), ConnectOptions::default())?;
    let watching =
        Clients::connect(&watchers(peer, 1..=users, users, coming, true)?, ConnectOptions::default())?;
    let seconds = bench.choose(20, 4);
    let load = OpenLoop {
        first_user: LIVE.0,
        users: LIVE.1,
        rate: LIVE.2,
        messages: LIVE.2 * seconds,
        content_bytes: CONTENT_BYTES,
        publisher: LIVE_PUBLISHER,
    };
    let called = OpenLoop { messages: LIVE.2 * 2, ..load }.start(&peer.php)?.run()?;
    chatting.settle(called.accepted(), IDLE_TIMEOUT)?;
    let quiet = chatting.report()?;

    let mut publishers = load.start(&peer.php)?;
    publishers.begin()?;
    let meter = CpuMeter::start(peer, bench.env);
    let (began, mut changes) = (Instant::now(), 0);
    let specs = peer.connect_specs(users + 1..=users + coming);
    while began.elapsed() < Duration::from_secs(u64::from(seconds)) {
        drop(Clients::connect(&specs, ConnectOptions::default())?);
        changes += coming * 2;
    }
    let (servers, redis) = meter.read();
    let called = publishers.finish()?;
    chatting.settle(called.accepted(), IDLE_TIMEOUT)?;
    let received = chatting.report()?;
    drop(watching);

    let rate = f64::from(changes) / began.elapsed().as_secs_f64();
    metrics.record("changes", "1/s", title, rate);
    let each = |seconds: f64| seconds / f64::from(changes.max(1)) * 1e6;
    metrics.record("CPU time of the daemon per change", "µs", title, each(servers));
    metrics.record("CPU time of Redis per change", "µs", title, each(redis));
    metrics.record("others' live messages lost", "", title, received.counts.lost(called.accepted()) as f64);
    outcome.record_percentiles("others' live latency before", title, &quiet.intended, &[50.0, 99.0]);
    outcome.record_percentiles("others' live latency meanwhile", title, &received.intended, &[50.0, 99.0]);
    Ok(())
}

/// How these users connect; with a grant, each watches 200 others, and is ready when it was told of them.
fn watchers(
    peer: &Peer,
    who: impl IntoIterator<Item = u32>,
    users: u32,
    coming: u32,
    granted: bool,
) -> anyhow::Result<Vec<ConnectSpec>> {
    let secret = Secret::new(SECRET)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut specs = peer.connect_specs(who);
    for spec in &mut specs {
        spec.target.push_str("&protocol=chatpush.v1");
        if !granted {
            continue;
        }
        // Steps that share no factor with the number of users, so that nobody is watched by few or by all.
        let at = |step: u32, of: u32| (spec.user.wrapping_mul(7_919).wrapping_add(step * 47)) % of;
        let staying = (0..PEERS - COMING).map(|step| at(step, users) + 1);
        let others = (0..COMING).map(|step| users + 1 + at(step, coming));
        let peers: Result<Vec<_>, _> =
            staying.chain(others).map(|id| UserId::try_from(i64::from(id))).collect();
        let user = UserId::try_from(i64::from(spec.user)).context("a user id")?;
        let rooms: [Room; 0] = [];
        let grant = grant::sign(&secret, user, None, now, 86_400, &peers.context("user ids")?, &rooms);
        spec.steps = vec![Step { wait_for: spec.ready.clone(), send: format!("{{\"grant\":\"{grant}\"}}") }];
        "\"presence\"".clone_into(&mut spec.ready);
    }
    Ok(specs)
}
