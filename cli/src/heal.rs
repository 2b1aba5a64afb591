//! `afterimage heal`: has the lost places of a recovery point made again.
//!
//! Afterimage makes a place again by itself, but not a third time within a week. This command says
//! that whoever deleted it has been found.

use afterimage_aws::Clock;
use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_core::slot::PointId;
use afterimage_core::transition::loss;
use serde_json::json;

use crate::stack::{self, STREAM, Stack};
use crate::{Failure, print};

/// Makes the lost images of a recovery point again, however often they were lost before.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Id of the point, as `afterimage status --json` and the findings show it.
    #[arg(value_name = "POINT")]
    point: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// There is no such point, nothing of it is lost, or AWS does not answer.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let id = PointId::parse(&arguments.point);
    let id = id.map_err(|error| Failure::Input(error.to_string()))?;
    stack::block_on(heal(arguments, &id))
}

async fn heal(arguments: &Arguments, id: &PointId) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let ledger = stack.ledger();
    let points = ledger.points_of(id.instance()).await.map_err(|error| stack.failed(&error))?;
    let Some((point, replicas)) = points.into_iter().find(|(point, _)| point.id == *id) else {
        let text =
            format!("point {id} is not in the ledger\n  `afterimage status` shows the points");
        return Err(Failure::Input(text));
    };
    let now = Clock::of(&stack.config).now();
    let Some(change) = loss::heal(&point, &replicas, now) else {
        return Err(Failure::Input(format!("nothing of point {id} is lost")));
    };
    let mut writer =
        Writer::new(format!("{STREAM}/{}/{}", std::process::id(), now.as_nanosecond()));
    let written = ledger.write(&change, LeaseUse::None, &mut writer).await;
    match written.map_err(|error| stack.failed(&error))? {
        Written::Done => {}
        Written::Lost | Written::NoLease => {
            let text = format!("point {id} has just changed\n  run the command again");
            return Err(Failure::Ours(text));
        }
    }
    if arguments.json {
        return print(&json!({ "point": id, "places": change.writes.len() }).to_string());
    }
    eprintln!(
        "the lost places of {id} are made again within minutes, if anything is left to make them of"
    );
    Ok(())
}
