//! Afterimage as a whole, deployed from its own templates in the embedded cloud.

mod any_loss;
mod asked;
mod audit_cost;
mod bad_events;
mod coverage;
mod economy;
mod every_call;
mod images;
mod lost;
mod mutations;
mod neighbour;
mod never_given_up;
mod not_fooled;
mod path;
mod powers;
mod rebuild;
mod scene;
mod stop_start;
mod template;
mod truth;
mod waiting;
mod withdrawn;
