//! Afterimage as a whole, deployed from its own templates in the embedded cloud.

mod template;
