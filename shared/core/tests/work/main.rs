//! The worker of a queue: what it makes of what it knows, one file for each kind of work, and what
//! it makes of what its calls brought.

mod before_copy;
mod called_off;
mod compare;
mod confirm;
mod copy;
mod created;
mod handing_over;
mod healing;
mod key_gone;
mod methods;
mod newest_good;
mod not_copied;
mod outcomes;
mod prospects;
mod register;
#[path = "../support/render.rs"]
mod render;
mod scene;
mod settles;
mod snapshot;
mod summaries;
mod superseded;
mod taken_up;
mod truth;
mod waiting;
mod wanted;
mod wanted_again;
