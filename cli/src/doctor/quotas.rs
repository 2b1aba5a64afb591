//! The quota of images of a region, against what is there. Afterimage deletes nothing, so that the
//! number grows with every point.

use std::collections::BTreeSet;

use afterimage_aws::Ec2;
use afterimage_core::ids::Region;

use super::line::{Line, answer, or_ok};
use crate::stack::{STREAM, Stack};

const QUOTAS: &str = "quotas";

/// Images that EC2 allows an account in a region, unless AWS has raised the quota: the command
/// cannot read that.
const IMAGES_MAX: usize = 50_000;

/// Percentage of the quota from which a person is warned: time to ask for more.
const WARNED_FROM: usize = 80;

/// Looks at the number of images in each region.
pub async fn lines(stack: &Stack, regions: BTreeSet<&Region>) -> Vec<Line> {
    if regions.is_empty() {
        return Vec::new();
    }
    let ec2 = Ec2::new(&stack.config, STREAM);
    let mut lines = Vec::new();
    for region in regions {
        match answer(ec2.images_owned(region)).await {
            Ok(images) => lines.extend(line(region, images.0.len())),
            Err(why) => {
                let found = format!("cannot count the images in {region}: {why}");
                let to_do = why.to_do("allow these credentials ec2:DescribeImages");
                lines.push(Line::not_made(QUOTAS, found, to_do));
            }
        }
    }
    or_ok(lines, QUOTAS, format!("no region has {WARNED_FROM} % of {IMAGES_MAX} images"))
}

fn line(region: &Region, images: usize) -> Option<Line> {
    let percent = images.saturating_mul(100) / IMAGES_MAX;
    let found = format!("{region} has {images} images, and AWS allows {IMAGES_MAX} by default");
    let to_do = "delete images that you do not need, or ask AWS for more (Service Quotas, EC2, \
                 AMIs); if it has allowed more, nothing";
    match percent {
        100.. => Some(Line::fail(QUOTAS, found, to_do)),
        WARNED_FROM.. => Some(Line::warn(QUOTAS, found, to_do)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::line::Level;

    #[test]
    fn four_fifths_of_the_quota_warn_and_all_of_it_fails() {
        let region = Region::parse("eu-west-1").expect("a region");
        let level = |images| line(&region, images).map(|line| line.level);
        let found = [0, 39_999, 40_000, 49_999, 50_000, 120_000].map(level);
        let (warn, fail) = (Some(Level::Warn), Some(Level::Fail));
        assert_eq!(found, [None, None, warn, warn, fail, fail]);
    }
}
