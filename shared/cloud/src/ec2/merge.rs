//! One listing out of the maps of several accounts, in the order of ids, without copying them.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::iter::Peekable;
use std::ops::Bound;

use crate::kernel::scope::Scope;

/// The owner of a resource, its id, and the resource.
pub type Owned<'a, T> = (&'a Scope, &'a str, &'a T);

/// Walks several maps at once, from behind the id `after`.
#[derive(Debug)]
pub struct Merged<'a, T> {
    lanes: Vec<(&'a Scope, Peekable<Range<'a, String, T>>)>,
}

impl<'a, T> Merged<'a, T> {
    pub fn new(
        maps: impl Iterator<Item = (&'a Scope, &'a BTreeMap<String, T>)>,
        after: Option<&str>,
    ) -> Merged<'a, T> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let lanes = maps.map(|(scope, map)| {
            let range = map.range::<str, _>((from, Bound::Unbounded));
            (scope, range.peekable())
        });
        Merged { lanes: lanes.collect() }
    }
}

impl<'a, T> Iterator for Merged<'a, T> {
    type Item = Owned<'a, T>;

    fn next(&mut self) -> Option<Owned<'a, T>> {
        let heads = self.lanes.iter_mut().enumerate();
        let heads = heads.filter_map(|(lane, (_, rest))| Some((rest.peek()?.0, lane)));
        let (_, lane) = heads.min()?;
        let (scope, rest) = self.lanes.get_mut(lane)?;
        let (id, item) = rest.next()?;
        Some((scope, id, item))
    }
}
