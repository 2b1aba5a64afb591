//! The summary of a machine as an item.
//!
//! Each kind of entry under each policy is an attribute (`latest#POLICY`), beside the time of the
//! entry (`latest_at#POLICY`). The condition of a write keeps an older entry from replacing a newer
//! one of another point. Of one point, the version of its record says what is newer.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::{InstanceId, PolicyName};
use afterimage_core::summary::{MachineSummary, News, Summary};
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::Ledger;
use super::item::{Item, attribute_of, part_of};
use super::keys::{FLEET, Key, PK, SK, fleet, fleets};
use super::read::{at_millis, millis};
use super::record::readable;
use crate::error::Failure;

const INSTANCE: &str = "instance";
const HOME: &str = "home";
const NAME: &str = "name";
/// The suffix of the attribute with the time: `latest_at#POLICY` beside `latest#POLICY`.
const TIME: &str = "_at";
/// The member of an entry with the id of its point.
const POINT_OF: &str = "point";

impl Ledger {
    /// Reads the summaries of machines. Those without one are left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn summaries(
        &self,
        ids: &[InstanceId],
    ) -> Result<BTreeMap<InstanceId, MachineSummary>, Failure> {
        let keys: BTreeSet<Key> = ids.iter().map(Key::machine).collect();
        let items = self.items(keys).await?;
        let summaries = items.values().filter_map(|item| readable(machine(item)));
        Ok(summaries.map(|summary| (summary.instance.clone(), summary)).collect())
    }

    /// Reads the summaries of all machines from an index, which may lag.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn fleet(&self) -> Result<Vec<MachineSummary>, Failure> {
        let mut machines = Vec::new();
        for part in fleets() {
            let query = self
                .client
                .query()
                .index_name(FLEET)
                .key_condition_expression("#fleet = :fleet")
                .expression_attribute_names("#fleet", FLEET)
                .expression_attribute_values(":fleet", AttributeValue::S(part));
            let items = self.query(query).await?;
            machines.extend(items.iter().filter_map(|item| readable(machine(item))));
        }
        Ok(machines)
    }
}

/// The update of a summary with new entries, on condition that none is older than the entry that is
/// there, unless both are of one point.
pub fn update(summary: &Summary, table: &str) -> Result<TransactWriteItem, Failure> {
    let key = Key::machine(&summary.instance);
    let unfit = |why: String| Failure::Item { key: key.to_string(), why };
    let mut sets = vec!["#instance = :instance", "#home = :home", "#fleet = :fleet"];
    let text = |text: &dyn ToString| AttributeValue::S(text.to_string());
    let mut update = Update::builder()
        .table_name(table)
        .set_key(Some(key.item()))
        .expression_attribute_names("#instance", INSTANCE)
        .expression_attribute_names("#home", HOME)
        .expression_attribute_names("#fleet", FLEET)
        .expression_attribute_values(":instance", text(&summary.instance))
        .expression_attribute_values(":home", text(&summary.home))
        .expression_attribute_values(":fleet", text(&fleet(&summary.instance)));
    if let Some(name) = &summary.name {
        sets.push("#name = :name");
        update = update
            .expression_attribute_names("#name", NAME)
            .expression_attribute_values(":name", text(name));
    }
    let mut sets: Vec<String> = sets.into_iter().map(str::to_string).collect();
    let (mut conditions, mut removes) = (Vec::new(), Vec::new());
    for (kind, news) in newest(&summary.news) {
        let policy = &summary.policy;
        update = update
            .expression_attribute_names(format!("#{kind}"), format!("{kind}#{policy}"))
            .expression_attribute_names(format!("#{kind}{TIME}"), time_of(kind, policy));
        if let News::Instead { of, .. } | News::LatestInstead { of, .. } = news {
            // Only the entry of the point that is lost is replaced.
            conditions.push(format!("#{kind}.#{POINT_OF} = :{kind}_of"));
            update = update
                .expression_attribute_names(format!("#{POINT_OF}"), POINT_OF)
                .expression_attribute_values(format!(":{kind}_of"), text(of));
        } else {
            let is_newest = format!("NOT (#{kind}{TIME} > :{kind}{TIME})");
            conditions.push(match news {
                // An entry of the same point is outdone by what the point is now.
                News::Latest(latest) => {
                    update = update
                        .expression_attribute_names(format!("#{POINT_OF}"), POINT_OF)
                        .expression_attribute_values(":latest_point", text(&latest.point));
                    format!("({is_newest} OR #{kind}.#{POINT_OF} = :latest_point)")
                }
                _ => is_newest,
            });
        }
        let Some(body) = body(news).map_err(unfit)? else {
            removes.push(format!("#{kind}, #{kind}{TIME}"));
            continue;
        };
        sets.push(format!("#{kind} = :{kind}, #{kind}{TIME} = :{kind}{TIME}"));
        update = update
            .expression_attribute_values(format!(":{kind}"), body)
            .expression_attribute_values(format!(":{kind}{TIME}"), millis(news.at()));
    }
    let mut expression = format!("SET {}", sets.join(", "));
    if !removes.is_empty() {
        expression.push_str(&format!(" REMOVE {}", removes.join(", ")));
    }
    if conditions.is_empty() {
        // There is nothing to tell of a machine but its name.
        conditions.push("attribute_exists(#instance)".to_string());
    }
    let update = update
        .update_expression(expression)
        .condition_expression(conditions.join(" AND "))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .map_err(|why| unfit(why.to_string()))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// The update without the entries that are older than those in the item. None if no entry is left,
/// and none if all are: the condition that failed would fail again.
pub fn without_older(summary: &Summary, there: Option<&Item>) -> Option<Summary> {
    let is_older = |news: &News| {
        if let News::Instead { of, .. } | News::LatestInstead { of, .. } = news {
            return point_of(there, news.name(), &summary.policy).as_deref() != Some(of.as_str());
        }
        let there_is = point_of(there, "latest", &summary.policy);
        if let (News::Latest(latest), Some(there)) = (news, there_is)
            && latest.point.as_str() == there
        {
            return false;
        }
        let time = there.and_then(|item| item.get(&time_of(news.name(), &summary.policy)));
        time.and_then(at_millis).is_some_and(|time| time > news.at())
    };
    let left: Vec<News> = summary.news.iter().filter(|news| !is_older(news)).cloned().collect();
    let some = !left.is_empty() && left.len() < summary.news.len();
    some.then(|| Summary { news: left, ..summary.clone() })
}

/// The point of an entry.
fn point_of(there: Option<&Item>, kind: &str, policy: &PolicyName) -> Option<String> {
    let entry = there?.get(&format!("{kind}#{policy}"))?.as_m().ok()?;
    entry.get(POINT_OF)?.as_s().ok().cloned()
}

/// The newest entry of each kind. An update can set an attribute only once.
fn newest(news: &[News]) -> BTreeMap<&'static str, &News> {
    let mut newest: BTreeMap<&'static str, &News> = BTreeMap::new();
    for one in news {
        let other = newest.entry(one.name()).or_insert(one);
        if one.at() >= other.at() {
            *other = one;
        }
    }
    newest
}

fn time_of(kind: &str, policy: &PolicyName) -> String {
    format!("{kind}{TIME}#{policy}")
}

/// The entry as an attribute; none if there is to be no entry.
fn body(news: &News) -> Result<Option<AttributeValue>, String> {
    match news {
        News::Latest(latest) => attribute_of(latest).map(Some),
        News::Stop(stop) => attribute_of(stop).map(Some),
        News::Good(good) => attribute_of(good).map(Some),
        News::Instead { good, .. } => good.as_deref().map(attribute_of).transpose(),
        News::LatestInstead { latest, .. } => latest.as_deref().map(attribute_of).transpose(),
    }
}

fn machine(item: &Item) -> Result<MachineSummary, Failure> {
    let key = Key::of(item);
    let unfit = |why: String| Failure::Item { key: key.to_string(), why };
    let summary = summary(item).map_err(unfit)?;
    if Key::machine(&summary.instance) != key {
        return Err(unfit(format!("it holds the summary of {}", summary.instance)));
    }
    Ok(summary)
}

fn summary(item: &Item) -> Result<MachineSummary, String> {
    let required =
        |name: &str| item.get(name).ok_or_else(|| format!("attribute `{name}` is missing"));
    let (instance, home) = (required(INSTANCE)?, required(HOME)?);
    let mut summary = MachineSummary::untold(part_of(INSTANCE, instance)?, part_of(HOME, home)?);
    summary.name = item.get(NAME).map(|name| part_of(NAME, name)).transpose()?;
    let sorted: BTreeMap<&String, &AttributeValue> = item.iter().collect();
    for (name, attribute) in sorted {
        let unknown = || format!("`{name}` is not an attribute of a summary");
        let Some((kind, policy)) = name.split_once('#') else {
            if [PK, SK, FLEET, INSTANCE, HOME, NAME].contains(&name.as_str()) {
                continue;
            }
            return Err(unknown());
        };
        let policy = PolicyName::parse(policy).map_err(|why| why.to_string())?;
        match kind {
            "latest" => drop(summary.latest.insert(policy, part_of(name, attribute)?)),
            "stop" => drop(summary.stops.insert(policy, part_of(name, attribute)?)),
            "good" => drop(summary.good.insert(policy, part_of(name, attribute)?)),
            "latest_at" | "stop_at" | "good_at" => {}
            _ => return Err(unknown()),
        }
    }
    Ok(summary)
}
