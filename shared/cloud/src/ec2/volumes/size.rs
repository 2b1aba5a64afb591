//! What a volume of each type can be: its size, its operations and its throughput.

use std::ops::RangeInclusive;

use crate::kernel::error::ApiError;

/// A volume as it is asked for; what is absent takes the default of the type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub volume_type: Option<String>,
    pub size_gib: Option<i64>,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
}

/// A volume as it will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    pub volume_type: String,
    pub size_gib: u32,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
}

struct Limits {
    name: &'static str,
    size_gib: RangeInclusive<i64>,
    iops: Iops,
    /// At most so many operations a second for each GiB.
    iops_per_gib: i64,
}

enum Iops {
    None,
    /// Follow from the size: three for each GiB, within these bounds.
    Derived(i64, i64),
    /// Default, if it need not be given, and the bounds.
    Chosen(Option<i64>, RangeInclusive<i64>),
}

const DEFAULT_TYPE: &str = "gp2";

/// MiB/s of gp3: what it has without being asked, and the most it can have.
const GP3_THROUGHPUT: RangeInclusive<i64> = 125..=2000;

fn limits(volume_type: &str) -> Option<Limits> {
    let of = |name, size_gib, iops, iops_per_gib| Limits { name, size_gib, iops, iops_per_gib };
    let all = [
        of("gp2", 1..=16_384, Iops::Derived(100, 16_000), i64::MAX),
        of("gp3", 1..=65_536, Iops::Chosen(Some(3000), 3000..=80_000), 500),
        of("io1", 4..=16_384, Iops::Chosen(None, 100..=64_000), 50),
        of("io2", 4..=65_536, Iops::Chosen(None, 100..=256_000), 1000),
        of("sc1", 125..=16_384, Iops::None, 0),
        of("st1", 125..=16_384, Iops::None, 0),
        of("standard", 1..=1024, Iops::None, 0),
    ];
    all.into_iter().find(|limits| limits.name == volume_type)
}

/// Checks what is asked for; a volume from a snapshot is at least as large as that, and as large
/// if no size is given.
pub fn decide(asked: &Asked, snapshot: Option<(&str, u32)>) -> Result<Size, ApiError> {
    let volume_type = asked.volume_type.as_deref().unwrap_or(DEFAULT_TYPE);
    let Some(limits) = limits(volume_type) else {
        let text = format!("Value ({volume_type}) for parameter volumeType is invalid.");
        return Err(ApiError::bad("InvalidParameterValue", text));
    };
    let size = match (asked.size_gib, snapshot) {
        (Some(size), _) => size,
        (None, Some((_, least))) => i64::from(least),
        (None, None) => {
            let text = "The request must contain the parameter size or snapshotId";
            return Err(ApiError::bad("MissingParameter", text));
        }
    };
    if let Some((id, least)) = snapshot
        && size < i64::from(least)
    {
        let text = format!(
            "Volume of size {size}GB is smaller than snapshot '{id}', expect size>= {least}GB"
        );
        return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
    }
    check_size(&limits, size)?;
    let iops = iops(&limits, asked.iops, size)?;
    let throughput = throughput(volume_type, asked.throughput, iops)?;
    Ok(Size {
        volume_type: volume_type.to_string(),
        size_gib: narrow(size),
        iops: iops.map(narrow),
        throughput: throughput.map(narrow),
    })
}

/// All numbers that come here were held within bounds that fit.
fn narrow(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn check_size(limits: &Limits, size: i64) -> Result<(), ApiError> {
    let (least, most) = (limits.size_gib.start(), limits.size_gib.end());
    let text = if size < *least {
        format!(
            "Volume of {size}GiB is too small for volume type {}; minimum is {least}GiB.",
            limits.name
        )
    } else if size > *most {
        format!(
            "Volume of {size}GiB is too large for volume type {}; maximum is {most}GiB.",
            limits.name
        )
    } else {
        return Ok(());
    };
    Err(ApiError::bad("InvalidParameterValue", text))
}

fn iops(limits: &Limits, asked: Option<i64>, size: i64) -> Result<Option<i64>, ApiError> {
    let name = limits.name;
    let (default, bounds) = match &limits.iops {
        Iops::None | Iops::Derived(..) if asked.is_some() => {
            let text = format!("The parameter iops is not supported for {name} volumes.");
            return Err(ApiError::combination(text));
        }
        Iops::None => return Ok(None),
        Iops::Derived(least, most) => {
            return Ok(Some(size.saturating_mul(3).clamp(*least, *most)));
        }
        Iops::Chosen(default, bounds) => (*default, bounds),
    };
    let Some(iops) = asked.or(default) else {
        let text = format!("The parameter iops must be specified for {name} volumes.");
        return Err(ApiError::bad("MissingParameter", text));
    };
    if !bounds.contains(&iops) {
        let text = format!(
            "Volume iops of {iops} is out of bounds for {name}; they are {} to {}.",
            bounds.start(),
            bounds.end()
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    // What a type has by default it has at any size.
    if Some(iops) != default && iops > size.saturating_mul(limits.iops_per_gib) {
        let text = format!(
            "Iops to volume size ratio of {iops} to {size} is too high; \
             maximum is {} IOPS per GiB.",
            limits.iops_per_gib
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok(Some(iops))
}

fn throughput(
    volume_type: &str,
    asked: Option<i64>,
    iops: Option<i64>,
) -> Result<Option<i64>, ApiError> {
    if volume_type != "gp3" {
        return match asked {
            None => Ok(None),
            Some(_) => {
                let text =
                    format!("The parameter throughput is not supported for {volume_type} volumes.");
                Err(ApiError::combination(text))
            }
        };
    }
    let throughput = asked.unwrap_or(*GP3_THROUGHPUT.start());
    if !GP3_THROUGHPUT.contains(&throughput) {
        let text = format!(
            "Volume throughput of {throughput} MiB/s is out of bounds; they are {} to {}.",
            GP3_THROUGHPUT.start(),
            GP3_THROUGHPUT.end()
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    // A quarter of a MiB/s for each operation.
    if throughput.saturating_mul(4) > iops.unwrap_or_default() {
        let text = format!(
            "Throughput (MiBps) to iops ratio of {throughput} to {} is too high; \
             maximum is 0.25 MiBps per iops.",
            iops.unwrap_or_default()
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok(Some(throughput))
}
