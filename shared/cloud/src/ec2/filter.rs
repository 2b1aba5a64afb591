//! `Filter.N` of the Describe calls: AND between filters, OR between values, `*` and `?` in values.

use std::collections::BTreeSet;

use crate::kernel::access::Tags;
use crate::kernel::error::ApiError;
use crate::kernel::glob::glob;
use crate::kernel::query::Fields;

/// At most this many values in all filters of a call.
const VALUES_MAX: usize = 200;

#[derive(Clone, Debug)]
pub struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

/// The values of a resource under the name of a filter: each may be matched.
/// `None` says that this filter does not exist for the resource.
pub type Found = Option<Vec<String>>;

/// Reads the filters of a call.
pub fn read(fields: &Fields) -> Result<Vec<Filter>, ApiError> {
    let mut filters = Vec::new();
    for group in fields.groups("Filter") {
        let name = group.required("Name")?.to_string();
        let values = group.list("Value");
        if values.is_empty() {
            let text = format!("The filter '{name}' has no values");
            return Err(ApiError::bad("InvalidParameterValue", text));
        }
        filters.push(Filter { name, values });
    }
    if filters.iter().map(|filter| filter.values.len()).sum::<usize>() > VALUES_MAX {
        let text = format!(
            "The maximum number of filter values specified on a single call is {VALUES_MAX}"
        );
        return Err(ApiError::bad("FilterLimitExceeded", text));
    }
    Ok(filters)
}

/// Refuses filters that the operation does not have; tags can be filtered everywhere.
pub fn check(filters: &[Filter], known: &[&str]) -> Result<(), ApiError> {
    for filter in filters {
        let name = filter.name.as_str();
        if !known.contains(&name) && name != "tag-key" && !name.starts_with("tag:") {
            let text = format!("The filter '{name}' is invalid (or not modelled here)");
            return Err(ApiError::bad("InvalidParameterValue", text));
        }
    }
    Ok(())
}

/// Whether a resource passes all filters. `find` gives what it has under a filter's name.
pub fn passes(filters: &[Filter], tags: &Tags, find: impl Fn(&str) -> Vec<String>) -> bool {
    filters.iter().all(|filter| {
        let fits = |value: &String| filter.values.iter().any(|wanted| glob(wanted, value));
        if let Some(key) = filter.name.strip_prefix("tag:") {
            tags.get(key).is_some_and(fits)
        } else if filter.name == "tag-key" {
            tags.keys().any(fits)
        } else {
            find(&filter.name).iter().any(fits)
        }
    })
}

/// The ids that a call asks for, in the order of the call, each once.
pub fn ids(fields: &Fields, name: &str) -> BTreeSet<String> {
    fields.list(name).into_iter().collect()
}
