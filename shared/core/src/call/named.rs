//! The holder of a name: an image whose name a call without an outcome may have given.

use crate::observed::{ImageState, ObservedImage};

/// Judgement of one image that has a name of ours, by the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ours,
    /// Everything that is visible is ours, but not everything is visible yet.
    Unclear,
    /// The image is not ours; with the reason.
    Foreign(&'static str),
}

/// The image that holds a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    Ours(&'a ObservedImage),
    Unclear(&'a ObservedImage),
    Foreign(&'a ObservedImage),
    Nobody,
}

/// The result of a search for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub holder: Holder<'a>,
    /// Every image with the name that is not ours, with the reason.
    pub foreign: Vec<(&'a ObservedImage, &'static str)>,
}

/// Finds the holder of a name among images that were listed by it. An image that is ours goes
/// before one that is unclear, and an unclear one before a foreign one. A deregistered image no
/// longer holds its name.
pub(super) fn look_for<'a>(
    name: &str,
    listed: &'a [ObservedImage],
    verdict: impl Fn(&ObservedImage) -> Verdict,
) -> Named<'a> {
    let holds =
        |image: &&ObservedImage| image.state != ImageState::Deregistered && image.name == name;
    let mut images: Vec<&ObservedImage> = listed.iter().filter(holds).collect();
    images.sort_by_key(|image| &image.id);
    let (mut ours, mut unclear, mut foreign) = (None, None, Vec::new());
    for image in images {
        match verdict(image) {
            Verdict::Ours => ours = ours.or(Some(image)),
            Verdict::Unclear => unclear = unclear.or(Some(image)),
            Verdict::Foreign(why) => foreign.push((image, why)),
        }
    }
    let first_foreign = foreign.first().map(|(image, _)| *image);
    let holder = ours
        .map(Holder::Ours)
        .or(unclear.map(Holder::Unclear))
        .or(first_foreign.map(Holder::Foreign));
    Named { holder: holder.unwrap_or(Holder::Nobody), foreign }
}
