//! The holder of a name: an image whose name a call without an outcome may have given.

use crate::observed::{ImageState, ObservedImage};

/// Judgement of one image that has a name of ours, by the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ours,
    /// Everything that is visible is ours, but not everything is visible yet.
    Unclear,
    /// The image is not ours; with the reason.
    Foreign(String),
}

impl Verdict {
    pub(super) fn foreign(why: &str) -> Verdict {
        Verdict::Foreign(why.to_string())
    }
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
    pub foreign: Vec<(&'a ObservedImage, String)>,
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

/// Returns the text of the finding about an image that has a name of ours and is not ours.
pub(super) fn finding(image: &ObservedImage, why: &str) -> String {
    let made = image
        .created_at
        .map_or(String::new(), |at| format!(" at {} UTC", at.strftime("%Y-%m-%d %H:%M")));
    format!(
        "{} has the name {}, which Afterimage gives to an image of its own, but {why}. Somebody \
         made it in this account{made}. It is left alone, and the image of Afterimage is made \
         under another name. Find out who made it, and deregister it if nobody needs it",
        image.id, image.name
    )
}
