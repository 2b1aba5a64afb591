//! The next state of a record, after something was made, failed, or came to its end.
//!
//! | module | a record that |
//! |---|---|
//! | [`loss`] | lost an artefact that was good, and is made again |
//! | [`success`] | has what its step was to make |
//! | [`retry`] | failed a try: the next one, or giving up |
//! | [`replicas`] | is a replica that came to rest, and the place of that in its point |
//! | [`downtime`] | is a machine that is stopped for its point |
//! | [`again`] | ended, and is wanted: it begins again |
//! | [`wanted_again`] | was given up or lost, and is wanted again |
//! | [`not_made`] | had lost everything, began again, and of which nothing was made |
//! | [`withdrawn`] | has not begun, and nobody wants it any more |
//! | [`summary`] | came to rest: the entry in the summary of its machine |

pub mod again;
pub mod came_back;
pub mod downtime;
pub mod loss;
pub mod not_made;
pub mod replicas;
pub mod retry;
pub mod success;
pub mod summary;
pub mod wanted_again;
pub mod withdrawn;
