//! The commands that work with a deployed system, as a user runs them: the real binary, against
//! `afterimage cloud --system` on a port of its own, whose clock stands still until it is moved.

mod apply;
mod cancel;
mod capture;
mod doctor;
mod explain;
mod format;
mod heal;
mod heal_agrees;
mod heal_older;
mod keys_not_read;
mod operators;
mod policies;
mod rebuild;
mod served;
mod stack;
mod status;
mod still;
