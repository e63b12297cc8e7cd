//! A run: finds the installed peers, runs the scenarios and writes their reports.

use anyhow::ensure;
use chatpush_stack::artifacts;
use clap::ValueEnum as _;

use crate::bench_env::BenchEnv;
use crate::cache::Cache;
use crate::cli::Arguments;
use crate::machine::Machine;
use crate::peers::PeerName;
use crate::report::Report;
use crate::scenarios::{Bench, Scenario};

/// Executes the command line. Returns false if a scenario failed or a peer could not be installed.
pub fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let cache = Cache::find()?;
    if let Some(peers) = &arguments.install {
        return Ok(install(if peers.is_empty() { &PeerName::ALL } else { peers }, &cache));
    }
    if arguments.list {
        print_list(&cache);
        return Ok(true);
    }

    let selected = if arguments.peers.is_empty() { PeerName::ALL.to_vec() } else { arguments.peers.clone() };
    let mut peers = Vec::new();
    for peer in PeerName::ALL.into_iter().filter(|peer| selected.contains(peer)) {
        match peer.version(&cache) {
            Ok(_) => peers.push(peer),
            Err(missing) => eprintln!("{} is skipped: {missing}", peer.title()),
        }
    }
    ensure!(!peers.is_empty(), "no peer is installed");
    let scenarios =
        if arguments.scenarios.is_empty() { Scenario::value_variants() } else { &arguments.scenarios };
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 5 });
    let folder = arguments.output.clone().unwrap_or_else(|| {
        artifacts::root().join(if arguments.quick { "target/bench" } else { "docs/bench" })
    });
    std::fs::create_dir_all(&folder)?;

    let machine = Machine::detect(&cache, &peers, &arguments.appendfsync);
    let env = BenchEnv::start(cache, &arguments.appendfsync)?;
    let bench = Bench { env: &env, peers: &peers, rounds, quick: arguments.quick };
    let mut succeeded = true;
    for scenario in scenarios {
        eprintln!("{}: {}", scenario.name(), scenario.title());
        match scenario.run(&bench) {
            Ok(outcome) => Report::new(*scenario, outcome, &machine, rounds).write(&folder)?,
            Err(error) => {
                succeeded = false;
                eprintln!("{} failed: {error:#}", scenario.name());
            }
        }
    }
    eprintln!("The results are in {}", folder.display());
    Ok(succeeded)
}

/// Returns whether all of them are installed now.
fn install(peers: &[PeerName], cache: &Cache) -> bool {
    let mut succeeded = true;
    for peer in peers {
        match peer.install(cache).map(|()| peer.version(cache)) {
            Ok(Ok(version)) => println!("{} {version}", peer.title()),
            Ok(Err(missing)) => {
                succeeded = false;
                println!("{}: {missing}", peer.title());
            }
            Err(error) => {
                succeeded = false;
                println!("{}: {error:#}", peer.title());
            }
        }
    }
    succeeded
}

fn print_list(cache: &Cache) {
    println!("Scenarios:");
    for scenario in Scenario::value_variants() {
        println!("  {:<16} {}", scenario.name(), scenario.title());
    }
    println!("Peers:");
    for peer in PeerName::ALL {
        let name = peer.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        match peer.version(cache) {
            Ok(version) => println!("  {name:<16} {} {version}", peer.title()),
            Err(missing) => println!("  {name:<16} {missing}"),
        }
    }
}
