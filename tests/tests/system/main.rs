//! Afterimage as a whole, deployed from its own templates in the embedded cloud.

mod bad_events;
mod economy;
mod every_call;
mod mutations;
mod not_fooled;
mod path;
mod rebuild;
mod scene;
mod template;
mod truth;
