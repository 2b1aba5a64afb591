//! Afterimage as a whole, deployed from its own templates in the embedded cloud.

mod asked;
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
mod went_back;
mod withdrawn;
