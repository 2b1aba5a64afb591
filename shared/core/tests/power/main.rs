//! Machines that are stopped for their points: when, whether at all, and that they run again.

mod always_runs_again;
mod guards;
mod held_up;
mod places;
mod scene;
mod sharing;
mod stopped_and_started;
mod table;
