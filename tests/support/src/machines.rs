//! Machines in the world, as anybody would launch them.

use afterimage_core::ids::InstanceId;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, InstanceStateName, InstanceType, ResourceType, Tag, TagSpecification,
};
use aws_types::SdkConfig;

use super::{PATIENCE, World, pause, start_watch};

impl World {
    pub fn ec2(&self) -> Client {
        Client::new(&self.config)
    }

    /// Launches a machine with a tag, and waits until it runs.
    pub async fn machine(&self, key: &str, value: &str) -> InstanceId {
        let launched = launch(&self.config, 1, (key, value)).await;
        let id = launched.first().expect("a machine is launched").clone();
        self.wait_for(&id, InstanceStateName::Running).await;
        id
    }

    /// Puts a tag on a machine.
    pub async fn tag(&self, id: &InstanceId, key: &str, value: &str) {
        let tag = Tag::builder().key(key).value(value).build();
        let tagged = self.ec2().create_tags().resources(id.as_str()).tags(tag).send().await;
        tagged.expect("a machine is tagged");
    }

    /// Stops a machine, and waits until it has stopped.
    pub async fn stop(&self, id: &InstanceId) {
        let stop = self.ec2().stop_instances().instance_ids(id.as_str());
        stop.send().await.expect("a machine is stopped");
        self.wait_for(id, InstanceStateName::Stopped).await;
    }

    async fn wait_for(&self, id: &InstanceId, wanted: InstanceStateName) {
        let ec2 = self.ec2();
        let begun = start_watch();
        loop {
            let seen = ec2.describe_instances().instance_ids(id.as_str()).send().await;
            let seen = seen.expect("the machine is described");
            let machines = seen.reservations().iter().flat_map(|it| it.instances());
            let states = machines.filter_map(|it| it.state()?.name().cloned());
            if states.collect::<Vec<_>>() == [wanted.clone()] {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{id} does not become {wanted}");
            pause().await;
        }
    }
}

/// Launches machines with a tag.
pub async fn launch(config: &SdkConfig, count: i32, tag: (&str, &str)) -> Vec<InstanceId> {
    let ec2 = Client::new(config);
    let name = Filter::builder().name("name").values("al2023-ami-*-x86_64").build();
    let images = ec2.describe_images().owners("amazon").filters(name).send().await;
    let images = images.expect("images are described");
    let image = images.images().first().and_then(|image| image.image_id());
    let tag = Tag::builder().key(tag.0).value(tag.1).build();
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag);
    let run = ec2
        .run_instances()
        .image_id(image.expect("there are images of Amazon"))
        .instance_type(InstanceType::T3Micro)
        .min_count(count)
        .max_count(count)
        .tag_specifications(tags.build());
    let run = run.send().await.expect("machines are launched");
    let ids = run.instances().iter().filter_map(|machine| machine.instance_id());
    ids.map(|id| InstanceId::parse(id).expect("it is an id")).collect()
}
