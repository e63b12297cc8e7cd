//! How many machines an application needs: arithmetic from the unit costs that the benchmarks have measured.

mod costs;
mod demand;
mod plan;

use std::fmt::Write as _;
use std::io::Write as _;

use clap::Parser;
use serde_json::json;

use crate::number_format::format_number;
use costs::Costs;
use demand::Demand;
use plan::{Need, Plan};

/// Calculates what chatpush needs for an application of a size, from the costs in docs/bench
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "chatpush-bench capacity", bin_name = "./dev capacity", version)]
pub struct Arguments {
    /// Users that the application has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    pub users: u64,
    /// Percent of the users who are connected in the busiest hour
    #[arg(long, default_value_t = 20.0, value_name = "PERCENT", value_parser = percent)]
    pub online: f64,
    /// Open pages and devices of a connected user
    #[arg(long, default_value_t = 1.3, value_name = "N", value_parser = positive)]
    pub devices: f64,
    /// Messages that a user sends in a day
    #[arg(long, default_value_t = 40.0, value_name = "N", value_parser = positive)]
    pub messages: f64,
    /// Receivers of a message
    #[arg(long, default_value_t = 1.5, value_name = "N", value_parser = positive)]
    pub receivers: f64,
    /// Messages of the busiest minute, as a multiple of the day's average; seconds beyond it wait in the log
    #[arg(long, default_value_t = 5.0, value_name = "TIMES", value_parser = positive)]
    pub peak: f64,
    /// Users whose presence a connection watches; 0 if none
    #[arg(long, default_value_t = 50.0, value_name = "N", value_parser = not_negative)]
    pub watched: f64,
    /// Minutes that a connection lasts
    #[arg(long, default_value_t = 15.0, value_name = "MINUTES", value_parser = positive)]
    pub session: f64,
    /// Percent of a processor that may be used in the busiest minute: the rest is for faults and growth
    #[arg(long, default_value_t = 50.0, value_name = "PERCENT", value_parser = percent)]
    pub busy: f64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn number(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| "must be a number".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text)
        .and_then(|number| if number >= 0.0 { Ok(number) } else { Err("must not be negative".to_owned()) })
}

fn positive(text: &str) -> Result<f64, String> {
    number(text)
        .and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be more than 0".to_owned()) })
}

fn percent(text: &str) -> Result<f64, String> {
    let fits = |number: &f64| *number > 0.0 && *number <= 100.0;
    number(text)
        .and_then(|number| Some(number).filter(fits).ok_or_else(|| "must be from 0 to 100".to_owned()))
}

/// Calculates, and prints a table or JSON.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let costs = Costs::read()?;
    let demand = Demand::of(arguments);
    let plan = Plan::of(&demand, &costs, arguments.busy / 100.0);
    let text = if arguments.json {
        let tightest = plan.tightest().map(|need| need.what);
        let json = json!({ "demand": demand, "costs": costs, "needs": plan.needs, "tightest": tightest });
        serde_json::to_string_pretty(&json)? + "\n"
    } else {
        text(arguments.users, &demand, &plan)
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn text(users: u64, demand: &Demand, plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} users, {} connections; each second of the busiest minute {} messages to {} receivers, {} frames, {} come or go\n",
        format_number(users as f64),
        format_number(demand.connections),
        format_number(demand.messages),
        format_number(demand.rows),
        format_number(demand.frames),
        format_number(demand.changes),
    );
    for Need { what, amount, unit, most, whole, .. } in &plan.needs {
        let _ = writeln!(
            text,
            "  {what:<24} {:>10} {unit:<8} {whole:>4.0} × {}",
            format_number(*amount),
            format_number(*most),
        );
    }
    if let Some(tightest) = plan.tightest() {
        let share = format_number(tightest.share() * 100.0);
        let _ = writeln!(text, "\nFirst at its limit: {}, at {share} %.", tightest.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page shows what the program prints.
    #[test]
    fn page_has_the_results() {
        let page = include_str!("../../docs/SCALING.md");
        let costs = Costs::read().unwrap();
        for users in ["10000", "100000", "1000000", "10000000"] {
            let arguments = Arguments::parse_from(["capacity", "--users", users]);
            let demand = Demand::of(&arguments);
            let text = text(arguments.users, &demand, &Plan::of(&demand, &costs, arguments.busy / 100.0));
            assert!(page.contains(&text), "docs/SCALING.md needs:\n{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for (option, value) in
            [("--online", "0"), ("--online", "101"), ("--messages", "-1"), ("--watched", "nan")]
        {
            assert!(
                Arguments::try_parse_from(["capacity", "--users", "1", option, value]).is_err(),
                "{option} {value}"
            );
        }
        assert!(Arguments::try_parse_from(["capacity", "--users", "1", "--watched", "0"]).is_ok());
    }
}
