//! What a version of a launch template says of a launch.

use std::collections::{BTreeMap, BTreeSet};

use crate::ec2::state::{Data, Launch};
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;

/// Members of RunInstances that a template says in another way, or not at all.
const OF_RUN_INSTANCES: [&str; 3] = ["PrivateIpAddress", "RamdiskId", "SubnetId"];

impl Data {
    /// `LaunchTemplateData`; nothing if it is not there or empty, which look alike.
    pub fn read(fields: &Fields, tags_max: usize) -> Result<Option<Data>, ApiError> {
        let group = fields.group("LaunchTemplateData");
        group.map(|group| Data::of(&group, tags_max)).transpose()
    }

    fn of(group: &Fields, tags_max: usize) -> Result<Data, ApiError> {
        for name in OF_RUN_INSTANCES {
            group.refuse(name)?;
        }
        let mut launch = Launch::read(group, tags_max)?;
        launch.ramdisk_id = group.text("RamDiskId").map(Into::into);
        Ok(Data { given: group.members(), launch })
    }

    /// What the new version says, and for the rest what its source says, member by member.
    /// Snapshots of the source's devices are left behind.
    pub fn over(own: Option<Data>, source: &Data, tags_max: usize) -> Result<Data, ApiError> {
        let mut given = own.map(|own| own.given).unwrap_or_default();
        let said: BTreeSet<String> = given.keys().map(|path| first(path).to_string()).collect();
        let is_snapshot =
            |path: &str| first(path) == "BlockDeviceMapping" && path.ends_with(".Ebs.SnapshotId");
        for (path, value) in &source.given {
            if !said.contains(first(path)) && !is_snapshot(path) {
                given.insert(path.clone(), value.clone());
            }
        }
        Data::of(&Fields::of(given), tags_max)
    }

    /// `<launchTemplateData>`, perhaps with another image than the one that was given.
    pub fn write(&self, xml: &mut Xml, image_id: Option<&str>) {
        let mut root = Node::default();
        for (path, value) in &self.given {
            root.plant(path, value);
        }
        if let Some(image_id) = image_id {
            root.plant("ImageId", image_id);
        }
        root.write(xml, "launchTemplateData", "");
    }
}

/// The member that a parameter belongs to.
fn first(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// The parameters of a request as the tree that they describe.
#[derive(Default)]
struct Node {
    text: Option<String>,
    /// Items of a list are under their numbers, members of a structure under 0 and their names.
    inner: BTreeMap<(u32, String), Node>,
}

impl Node {
    fn plant(&mut self, path: &str, value: &str) {
        let mut node = self;
        for part in path.split('.') {
            let number = part.parse().unwrap_or_default();
            node = node.inner.entry((number, part.to_string())).or_default();
        }
        node.text = Some(value.to_string());
    }

    /// Writes what a request calls `BlockDeviceMapping.N` as `<blockDeviceMappingSet>`, and what
    /// it calls `ImageId` as `<imageId>`; `parent` is the list or structure around it.
    fn write(&self, xml: &mut Xml, name: &str, parent: &str) {
        if let Some(text) = &self.text {
            xml.leaf(&lower(name), text);
            return;
        }
        let is_list = self.inner.keys().next().is_some_and(|(number, _)| *number > 0);
        if is_list {
            xml.node(&set_name(name, parent), |xml| {
                for item in self.inner.values() {
                    item.write(xml, "item", name);
                }
            });
            return;
        }
        let around = if name == "item" { parent } else { name };
        xml.node(&lower(name), |xml| {
            for ((_, member), node) in &self.inner {
                node.write(xml, member, around);
            }
        });
    }
}

fn set_name(name: &str, parent: &str) -> String {
    match (parent, name) {
        ("NetworkInterface", "SecurityGroupId") => "groupSet".to_string(),
        _ => format!("{}Set", lower(name)),
    }
}

fn lower(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
