//! What nobody can look at here: logs, their metrics, alarms and topics. The names of their
//! properties are checked, others can refer to them, and nothing is made.

use super::super::order::Step;
use super::super::props::Props;
use super::Maker;

/// For how many days CloudWatch keeps logs, if it does not keep them for good.
const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

const ALARM_PROPERTIES: [&str; 21] = [
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Tags",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
];

impl Maker<'_> {
    pub(super) fn log_group(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let name = self.name(&step.id, props.text("LogGroupName"), 512);
        let days = props.integer("RetentionInDays");
        if days.is_some_and(|days| !RETENTION_DAYS.contains(&days)) {
            let known = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            props.wrong("RetentionInDays", format!("has to be one of {known}"));
        }
        props.accept(&["KmsKeyId", "LogGroupClass", "Tags"]);
        props.finish();
        let (region, account) = (&self.scope.region, &self.scope.account);
        let arn = format!("arn:aws:logs:{region}:{account}:log-group:{name}:*");
        self.register(&step.id, name, &[("Arn", &arn)]);
    }

    pub(super) fn metric_filter(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let name = self.name(&step.id, props.text("FilterName"), 512);
        props.required("FilterPattern");
        props.required("LogGroupName");
        props.require("MetricTransformations");
        for metric in props.groups("MetricTransformations") {
            for wanted in ["MetricName", "MetricNamespace", "MetricValue"] {
                metric.required(wanted);
            }
            for dimension in metric.groups("Dimensions") {
                dimension.required("Key");
                dimension.required("Value");
                dimension.finish();
            }
            metric.accept(&["DefaultValue", "Unit"]);
            metric.finish();
        }
        props.accept(&[
            "ApplyOnTransformedLogs",
            "EmitSystemFieldDimensions",
            "FieldSelectionCriteria",
        ]);
        props.finish();
        self.register(&step.id, name, &[]);
    }

    pub(super) fn alarm(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let name = self.name(&step.id, props.text("AlarmName"), 255);
        props.require("ComparisonOperator");
        props.require("EvaluationPeriods");
        props.accept(&ALARM_PROPERTIES);
        props.finish();
        let (region, account) = (&self.scope.region, &self.scope.account);
        let arn = format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}");
        self.register(&step.id, name, &[("Arn", &arn)]);
    }

    pub(super) fn topic(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let name = self.name(&step.id, props.text("TopicName"), 256);
        props.accept(&["DisplayName", "KmsMasterKeyId", "Subscription", "Tags", "TracingConfig"]);
        props.finish();
        let (region, account) = (&self.scope.region, &self.scope.account);
        let arn = format!("arn:aws:sns:{region}:{account}:{name}");
        self.register(&step.id, arn.as_str(), &[("TopicArn", &arn), ("TopicName", &name)]);
    }
}
