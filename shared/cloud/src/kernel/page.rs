//! Pages of the Describe calls: `MaxResults` and `NextToken`.
//!
//! A token carries the id after which the next page begins, so that a listing goes on rightly
//! however much was made or deleted in between.

use std::ops::RangeInclusive;

use crate::kernel::config::Quirks;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;

/// The part of a listing that a call wants.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Number of items; all of them, if absent.
    pub size: Option<usize>,
    pub after: Option<String>,
    /// The page is empty, but for a token to come again with.
    pub empty: bool,
}

/// Marks the token of an empty page, so that the page after it is not empty too. No id begins so.
const EMPTY: char = '!';

impl Page {
    /// Reads the page of a call; `has_ids` says that it names resources one by one.
    pub fn read(
        quirks: &Quirks,
        fields: &Fields,
        bounds: &RangeInclusive<i64>,
        has_ids: bool,
    ) -> Result<Page, ApiError> {
        let size = fields.integer("MaxResults")?;
        let token = fields.text("NextToken").filter(|token| !token.is_empty());
        if has_ids && size.is_some() {
            let text = "The parameter MaxResults cannot be used with the parameter that lists ids";
            return Err(ApiError::combination(text));
        }
        if let Some(size) = size
            && !bounds.contains(&size)
        {
            let text = format!(
                "Value ( {size} ) for parameter maxResults is invalid. \
                 Expecting a value between {} and {}.",
                bounds.start(),
                bounds.end()
            );
            return Err(ApiError::bad("InvalidParameterValue", text));
        }
        let after = token.map(decode).transpose()?;
        let (came_empty, after) = match after.as_deref().map(|after| after.strip_prefix(EMPTY)) {
            Some(Some(after)) => (true, Some(after.to_string()).filter(|after| !after.is_empty())),
            _ => (false, after),
        };
        let empty = quirks.empty_pages && size.is_some() && !came_empty;
        Ok(Page { size: size.and_then(|size| usize::try_from(size).ok()), after, empty })
    }

    /// The page of a call in JSON, whose service has named its members and bounds.
    pub fn resume(size: i64, token: Option<&str>) -> Result<Page, ApiError> {
        let after = token.map(decode).transpose()?;
        Ok(Page { size: usize::try_from(size).ok(), after, empty: false })
    }

    /// Takes one page off what is left of a listing. Items come in the order of their ids.
    pub fn take<T>(
        &self,
        items: impl Iterator<Item = T>,
        id: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Option<String>) {
        if self.empty {
            let after = self.after.as_deref().unwrap_or_default();
            return (Vec::new(), Some(encode(&format!("{EMPTY}{after}"))));
        }
        let size = self.size.unwrap_or(usize::MAX);
        let mut items = items;
        let mut page = Vec::new();
        for item in items.by_ref() {
            if page.len() == size {
                let last = page.last().map(|last| encode(id(last)));
                return (page, last);
            }
            page.push(item);
        }
        (page, None)
    }
}

/// Opaque to clients, and told apart from garbage by its check digit.
fn encode(id: &str) -> String {
    let hex: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}{:02x}", checksum(id.as_bytes()))
}

fn decode(token: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::bad("InvalidNextToken", format!("The token '{token}' is invalid"));
    let digits: Option<Vec<u32>> = token.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() >= 4 && digits.len() % 2 == 0);
    let pairs = digits.ok_or_else(invalid)?;
    let mut bytes: Vec<u8> = pairs
        .chunks_exact(2)
        .filter_map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)).ok())
        .collect();
    let check = bytes.pop();
    if check != Some(checksum(&bytes)) {
        return Err(invalid());
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0x5a, |sum, byte| sum.rotate_left(3) ^ byte)
}
