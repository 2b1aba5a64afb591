//! `afterimage simulate`: worlds from seeds, played in an embedded cloud under faults, with
//! checkers of the promises after every step.
//!
//! [`World`] is a plain value, and the only thing that decides what is played. Checkers share no
//! code with what they check: they compare the model of EC2 with what `status --json` says.

mod checks;
mod generate;
mod history;
mod ledger_items;
mod people;
mod play;
mod record;
mod seen;
mod shrink;
mod troubles;
mod world;

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use jiff::Timestamp;

use crate::{Failure, clock, print};

pub use checks::{Promise, Violation};
pub use play::{Played, play};
pub use world::World;

/// Plays worlds from seeds in an embedded cloud, and checks the promises of Afterimage after every
/// step.
///
/// Nothing leaves this machine, and no account is needed. The same seed plays the same world. The
/// first world that breaks a promise is made smaller and printed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Play this many seeds, one after the other.
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "seed")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// First of the seeds.
    #[arg(long, value_name = "S", default_value_t = 1, conflicts_with = "seed")]
    from: u64,
    /// Play one seed, and print its world.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Begin no other world after this time.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,
    /// Go on after a world that breaks a promise, and do not make it smaller.
    #[arg(long)]
    all: bool,
}

/// Worlds after which a line of progress is printed where there is no terminal.
const LINE_EVERY: u64 = 10;

/// Sums over the worlds that were played.
#[derive(Default)]
struct Totals {
    worlds: u64,
    broken: Vec<(u64, Violation)>,
    minutes: u64,
    steps: u64,
    calls: u64,
    faults: u64,
    acts: u64,
}

/// # Errors
/// A world breaks a promise, or cannot be played.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let seeds = match arguments.seed {
        Some(seed) => seed..seed.saturating_add(1),
        None => arguments.from..arguments.from.saturating_add(arguments.seeds),
    };
    let begin = clock::now();
    let mut totals = Totals::default();
    for seed in seeds {
        let passed = seconds_since(begin);
        if arguments.minutes.is_some_and(|minutes| passed >= 60.0 * f64::from(minutes)) {
            break;
        }
        let world = World::of(seed);
        if arguments.seed.is_some() {
            print(world.to_string().trim_end())?;
        }
        let played = play(&world)?;
        totals.add(seed, &played);
        progress(&totals, seed, begin);
        let Some(violation) = played.violation.clone() else { continue };
        if arguments.all {
            eprintln!("\nseed {seed}: {}: {violation}", violation.promise.text());
            continue;
        }
        eprintln!();
        print(&told(seed, &violation))?;
        let minute = u32::try_from(played.minutes).unwrap_or(u32::MAX);
        print(&smaller(&world, (violation.promise, minute))?)?;
        return Err(broken(1));
    }
    eprintln!();
    print(&totals.text(seconds_since(begin)))?;
    if totals.broken.is_empty() { Ok(()) } else { Err(broken(totals.broken.len())) }
}

fn broken(worlds: usize) -> Failure {
    Failure::Ours(format!("{} broke a promise", crate::text::count(worlds, "world")))
}

fn seconds_since(begin: Timestamp) -> f64 {
    clock::now().duration_since(begin).as_secs_f64()
}

fn progress(totals: &Totals, seed: u64, begin: Timestamp) {
    let seconds = seconds_since(begin);
    let (worlds, broken) = (totals.worlds, totals.broken.len());
    let rate = totals.worlds as f64 / seconds.max(0.001);
    let days = totals.minutes as f64 / (24.0 * 60.0);
    let line = format!(
        "seed {seed}: {worlds} worlds, {days:.0} days, {broken} broken, {rate:.2} a second"
    );
    if std::io::stderr().is_terminal() {
        eprint!("\r{line}  ");
    } else if worlds.is_multiple_of(LINE_EVERY) {
        eprintln!("{line}");
    }
}

/// Tells what was broken, and how to play it again.
fn told(seed: u64, violation: &Violation) -> String {
    format!(
        "seed {seed} breaks a promise\n  {}\n  {violation}\n  again: afterimage simulate --seed \
         {seed}",
        violation.promise.text()
    )
}

/// Makes a world smaller, and tells its last steps.
fn smaller(world: &World, broken: (Promise, u32)) -> Result<String, Failure> {
    let is_terminal = std::io::stderr().is_terminal();
    let mut show = |plays: u32| {
        if is_terminal {
            eprint!("\rmaking it smaller: {plays} of {} ", shrink::PLAYS_MAX);
        }
    };
    let world = shrink::shrink(world, broken, &mut show);
    eprintln!();
    let played = play(&world)?;
    let mut text = format!("made smaller:\n{world}");
    if let Some(violation) = &played.violation {
        writeln!(text, "  {violation}").ok();
    }
    text.push_str("last steps:\n");
    for line in &played.last_lines {
        writeln!(text, "  {line}").ok();
    }
    Ok(text)
}

impl Totals {
    fn add(&mut self, seed: u64, played: &Played) {
        self.worlds += 1;
        self.broken.extend(played.violation.clone().map(|violation| (seed, violation)));
        self.minutes += played.minutes;
        self.steps += played.steps;
        self.calls += played.calls;
        self.faults += played.faults;
        self.acts += played.acts;
    }

    fn text(&self, seconds: f64) -> String {
        let Totals { worlds, broken, minutes, steps, calls, faults, acts } = self;
        let hours = minutes / 60;
        let each = seconds / (*worlds).max(1) as f64;
        let mut text = format!(
            "{worlds} worlds, {hours} virtual hours, {steps} steps, {acts} acts, {calls} calls, \
             {faults} faults; {each:.2} s a world; {} broke a promise",
            broken.len()
        );
        for (seed, violation) in broken {
            write!(text, "\n  seed {seed}: {}: {violation}", violation.promise.text()).ok();
        }
        text
    }
}
