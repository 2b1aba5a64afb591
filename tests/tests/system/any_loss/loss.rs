//! The ways in which something is lost.

use std::fmt;

use crate::scene::{FRANKFURT, HOME, IRELAND, Scene};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Deregister,
    /// Deregister the images and delete their snapshots.
    DeregisterAll,
    Disable,
    DeleteSnapshots,
    /// Deregister the images, and delete every snapshot there is.
    DeleteEverything,
}

/// What somebody does, and where.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    pub act: Act,
    regions: &'static [&'static str],
}

const EVERYWHERE: &[&str] = &[HOME, IRELAND, FRANKFURT];
const AT_HOME: &[&str] = &[HOME];
const IN_IRELAND: &[&str] = &[IRELAND];
const IN_FRANKFURT: &[&str] = &[FRANKFURT];
const IN_REPLICAS: &[&str] = &[IRELAND, FRANKFURT];

pub const LOSSES: [Loss; 19] = [
    Loss { act: Act::Deregister, regions: AT_HOME },
    Loss { act: Act::Deregister, regions: IN_IRELAND },
    Loss { act: Act::Deregister, regions: IN_FRANKFURT },
    Loss { act: Act::Deregister, regions: EVERYWHERE },
    Loss { act: Act::DeregisterAll, regions: AT_HOME },
    Loss { act: Act::DeregisterAll, regions: IN_IRELAND },
    Loss { act: Act::DeregisterAll, regions: IN_FRANKFURT },
    Loss { act: Act::DeregisterAll, regions: IN_REPLICAS },
    Loss { act: Act::Disable, regions: AT_HOME },
    Loss { act: Act::Disable, regions: IN_IRELAND },
    Loss { act: Act::Disable, regions: IN_FRANKFURT },
    Loss { act: Act::Disable, regions: EVERYWHERE },
    Loss { act: Act::DeleteSnapshots, regions: AT_HOME },
    Loss { act: Act::DeleteSnapshots, regions: IN_IRELAND },
    Loss { act: Act::DeleteSnapshots, regions: IN_FRANKFURT },
    Loss { act: Act::DeleteSnapshots, regions: EVERYWHERE },
    Loss { act: Act::DeleteEverything, regions: AT_HOME },
    Loss { act: Act::DeleteEverything, regions: IN_REPLICAS },
    Loss { act: Act::DeleteEverything, regions: EVERYWHERE },
];

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.act, self.regions.join(", "))
    }
}

/// What was lost: the region and the id of each artefact.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    pub images: Vec<(&'static str, String)>,
    pub disabled: Vec<(&'static str, String)>,
    pub snapshots: Vec<(&'static str, String)>,
}

impl Lost {
    pub fn is_nothing(&self) -> bool {
        self.images.is_empty() && self.disabled.is_empty() && self.snapshots.is_empty()
    }
}

impl Loss {
    /// Does it. Whatever EC2 refuses is not lost.
    pub async fn happen(self, scene: &Scene) -> Lost {
        let mut lost = Lost::default();
        for region in self.regions {
            let client = scene.ec2(region);
            if self.act != Act::DeleteSnapshots {
                for image in scene.images(region).await {
                    let id = image.id.clone();
                    if self.act == Act::Disable {
                        if client.disable_image().image_id(&id).send().await.is_ok() {
                            lost.disabled.push((*region, id));
                        }
                        continue;
                    }
                    let call = client.deregister_image().image_id(&id);
                    let call = call.delete_associated_snapshots(self.act != Act::Deregister);
                    if call.send().await.is_ok() {
                        lost.images.push((*region, id));
                    }
                }
            }
            if matches!(self.act, Act::DeleteSnapshots | Act::DeleteEverything) {
                for snapshot in scene.snapshots(region).await {
                    let call = client.delete_snapshot().snapshot_id(&snapshot.id);
                    if call.send().await.is_ok() {
                        lost.snapshots.push((*region, snapshot.id));
                    }
                }
            }
        }
        lost
    }
}
