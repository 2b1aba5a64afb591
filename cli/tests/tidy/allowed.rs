//! What the tidy test lets pass, each with its reason. What is on a list and no longer needed
//! fails too.

/// A circle of modules that may import each other.
pub struct Circle {
    /// The sources of its crate, such as `shared/core/src/`.
    pub folder: &'static str,
    /// The modules in the order of their names, with blanks between them.
    pub modules: &'static str,
    pub why: &'static str,
}

impl Circle {
    pub fn modules(&self) -> Vec<&'static str> {
        self.modules.split_whitespace().collect()
    }
}

/// The circles that stay.
pub const CIRCLES: &[Circle] = &[Circle {
    folder: "shared/cloud/src/",
    modules: "lambda/environment lambda/queue",
    why: "an environment takes events from the queue, and a try that failed goes back into it",
}];

/// Public items that nothing of the product names, and why they are there.
pub const UNUSED: &[(&str, &str)] = &[];
