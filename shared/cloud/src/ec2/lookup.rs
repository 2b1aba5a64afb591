//! Finds images and snapshots for an account: its own, those shared with it, and public ones.

use super::catalogue;
use super::state::{Grantee, Image, ImageState, Snapshot};
use crate::kernel::scope::Scope;
use crate::model::Model;

/// A snapshot, with the account that owns it.
#[derive(Clone, Debug)]
pub struct Owned {
    pub owner: String,
    pub snapshot: Snapshot,
}

/// The image as the account sees it in its region, if it sees it at all. Own images come in every
/// state, so that the caller can say why one cannot be used; those of others only when they are
/// available.
pub fn image_for(model: &mut Model, scope: &Scope, id: &str) -> Option<Image> {
    let now = model.now;
    if let Some(own) = model.ec2_region(scope).images.get(id) {
        return (own.visible_at <= now).then(|| own.clone());
    }
    let others = model.ec2.iter().filter(|(other, _)| other.region == scope.region);
    let mut found = others.filter_map(|(_, region)| region.images.get(id));
    match found.next() {
        Some(image) => {
            (image.visible_at <= now && is_shown_to(image, &scope.account)).then(|| image.clone())
        }
        None => catalogue::image_of_id(&scope.region, id).cloned(),
    }
}

/// Whether an account that does not own the image sees it. Organizations are not modelled: a
/// permission for one reaches nobody.
pub fn is_shown_to(image: &Image, account: &str) -> bool {
    let shared = || image.launch_permissions.contains(&Grantee::Account(account.to_string()));
    image.state == ImageState::Available && (image.public || shared())
}

/// The snapshot, if the account owns it or may make volumes of it.
pub fn snapshot_for(model: &mut Model, scope: &Scope, id: &str) -> Option<Owned> {
    let now = model.now;
    if let Some(own) = model.ec2_region(scope).snapshots.get(id) {
        let owner = scope.account.to_string();
        return (own.visible_at <= now).then(|| Owned { owner, snapshot: own.clone() });
    }
    let others = model.ec2.iter().filter(|(other, _)| other.region == scope.region);
    let mut found =
        others.filter_map(|(other, region)| region.snapshots.get(id).map(|found| (other, found)));
    match found.next() {
        Some((other, snapshot)) => {
            let shared =
                snapshot.public || snapshot.volume_permissions.contains(scope.account.as_ref());
            let owner = other.account.to_string();
            (shared && snapshot.visible_at <= now)
                .then(|| Owned { owner, snapshot: snapshot.clone() })
        }
        None => {
            let public = catalogue::snapshots(&scope.region).into_iter();
            let mut public = public.filter(|public| public.snapshot.id == id);
            public.next().map(|found| Owned { owner: found.owner, snapshot: found.snapshot })
        }
    }
}

/// The snapshot behind a device of an image: launch permission is enough to use it, whether or not
/// it is shared by itself.
pub fn snapshot_of_image(
    model: &mut Model,
    scope: &Scope,
    image: &Image,
    id: &str,
) -> Option<Owned> {
    if let Some(found) = snapshot_for(model, scope, id) {
        return Some(found);
    }
    let owner = scope.in_account(&image.owner);
    let held = model.ec2.get(&owner).and_then(|region| region.snapshots.get(id));
    if let Some(snapshot) = held {
        return Some(Owned { owner: image.owner.clone(), snapshot: snapshot.clone() });
    }
    let public = catalogue::image_of_id(&scope.region, &image.id)?;
    let mut backing = catalogue::backing(public).into_iter();
    let found = backing.find(|found| found.snapshot.id == id)?;
    Some(Owned { owner: found.owner, snapshot: found.snapshot })
}
