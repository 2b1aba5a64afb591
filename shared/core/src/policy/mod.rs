pub mod cron;
pub mod schedule;
