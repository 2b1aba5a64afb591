//! Machines in the world, as anybody would launch them.

use afterimage_core::ids::InstanceId;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, InstanceStateName, InstanceType, ResourceType, Tag, TagSpecification,
};

use super::{PATIENCE, World, pause, start_watch};

impl World {
    pub fn ec2(&self) -> Client {
        Client::new(&self.config)
    }

    /// Launches a machine with a tag, and waits until it runs.
    pub async fn machine(&self, key: &str, value: &str) -> InstanceId {
        let ec2 = self.ec2();
        let name = Filter::builder().name("name").values("al2023-ami-*-x86_64").build();
        let images = ec2.describe_images().owners("amazon").filters(name).send().await;
        let images = images.expect("images are described");
        let image = images.images().first().and_then(|image| image.image_id());
        let tag = Tag::builder().key(key).value(value).build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag);
        let run = ec2
            .run_instances()
            .image_id(image.expect("there are images of Amazon"))
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
            .tag_specifications(tags.build());
        let run = run.send().await.expect("a machine is launched");
        let id = run.instances().first().and_then(|it| it.instance_id()).unwrap_or_default();
        let id = InstanceId::parse(id).expect("it has an id");
        self.wait_for(&id, InstanceStateName::Running).await;
        id
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
