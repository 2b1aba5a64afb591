//! The way to AWS: the region and the credentials, and where they came from.

use super::line::Line;
use crate::stack::{self, Stack};
use crate::text::printable;

/// Tells where the region and the credentials came from.
pub async fn lines(arguments: &stack::Arguments, stack: &Stack) -> Vec<Line> {
    let sources = stack::sources(arguments).await;
    let credentials = format!("found in {}", printable(&sources.credentials));
    vec![Line::ok("credentials", credentials), region(stack, &sources)]
}

/// Tells that the region, the credentials or an endpoint are missing, or are wrong.
pub fn missing(text: &str) -> Line {
    let found = text.lines().next().unwrap_or_default();
    // The causes between the two say what the SDK has tried.
    let is_advice = |line: &str| line.starts_with("  set ") || line.starts_with("  pass ");
    let advice = text.lines().skip_while(|line| !is_advice(line));
    let advice: Vec<&str> = advice.map(str::trim).collect();
    let to_do = match advice.is_empty() {
        true => "look at --region, and at what the environment and the profile name".to_string(),
        false => advice.join("; "),
    };
    Line::fail("access", found, to_do)
}

/// Tells the region of the seat, and every place that names one. Programs do not agree on which
/// variable counts, so that one that names another region is told.
fn region(stack: &Stack, sources: &stack::Sources) -> Line {
    let seat = stack.region.as_str();
    let (mut from, mut others) = ("", Vec::new());
    for (place, region) in &sources.regions {
        match region {
            Some(_) if from.is_empty() => from = place,
            Some(region) => others.push(format!("{place} names {}", printable(region))),
            None => others.push(format!("{place} names none")),
        }
    }
    let found = format!("the seat is {seat}, from {from}; {}", others.join(", "));
    let names_other = |(place, region): &&(&'static str, Option<String>)| {
        let is_other = region.as_ref().is_some_and(|region| region != seat);
        is_other && stack::VARIABLES.contains(place)
    };
    match sources.regions.iter().find(names_other) {
        None => Line::ok("region", found),
        Some((place, _)) => {
            let to_do = format!(
                "set {place} to {seat} too: some programs read only this variable, and look in \
                 another region"
            );
            Line::warn("region", found, to_do)
        }
    }
}
