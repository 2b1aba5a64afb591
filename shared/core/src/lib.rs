//! The deciding part of Afterimage: event, state and the present moment in, a decision with its
//! reasons out. No AWS, no async, no clock, no environment, no randomness.

pub mod brake;
pub mod call;
pub mod change;
pub mod command;
pub mod downtime;
pub mod duration;
pub mod facts;
pub mod finding;
pub mod flow;
pub mod grade;
pub mod hint;
pub mod ids;
pub mod illegal;
pub mod limits;
pub mod machine;
pub mod names;
pub mod observed;
pub mod obstacle;
pub mod part;
pub mod point;
pub mod point_check;
pub mod policy;
pub mod reason;
pub mod rebuild;
mod replica_status;
pub mod request_counter;
pub mod slot;
pub mod status;
pub mod subject;
pub mod summary;
pub mod tags;
pub mod transition;
pub mod witness;
pub mod work;
pub mod worker;
pub mod yaml;
