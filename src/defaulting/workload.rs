//! Defaults of pod controllers. Upstream: `pkg/apis/apps/v1`, `pkg/apis/batch/v1`, `pkg/apis/core/v1`.

use crate::json::{Object, Value};

use super::pod::TEMPLATE;
use super::rule::Rule::{Call, Each, Fill, If, In, Make, Set};
use super::rule::{Fields, Rule};
use super::storage::CLAIM_TEMPLATE;

const FALSE: Value<'static> = Value::Bool(false);
const ROLLING_UPDATE: Value<'static> = Value::String("RollingUpdate");
const QUARTER: Value<'static> = Value::String("25%");

const fn int(value: i64) -> Value<'static> {
    Value::Int(value)
}

pub(super) const DEPLOYMENT: &[Rule] = &[Make(
    "spec",
    &[
        Set("replicas", int(1)),
        Make(
            "strategy",
            &[
                Fill("type", ROLLING_UPDATE),
                If(is_rolling, &[Make("rollingUpdate", &[Set("maxUnavailable", QUARTER), Set("maxSurge", QUARTER)])]),
            ],
        ),
        Set("revisionHistoryLimit", int(10)),
        Set("progressDeadlineSeconds", int(600)),
        Make("template", TEMPLATE),
    ],
)];

pub(super) const REPLICA_SET: &[Rule] = &[Make("spec", &[Set("replicas", int(1)), Make("template", TEMPLATE)])];

pub(super) const DAEMON_SET: &[Rule] = &[Make(
    "spec",
    &[
        Make(
            "updateStrategy",
            &[
                Fill("type", ROLLING_UPDATE),
                If(is_rolling, &[Make("rollingUpdate", &[Set("maxUnavailable", int(1)), Set("maxSurge", int(0))])]),
            ],
        ),
        Set("revisionHistoryLimit", int(10)),
        Make("template", TEMPLATE),
    ],
)];

pub(super) const STATEFUL_SET: &[Rule] = &[Make(
    "spec",
    &[
        Fill("podManagementPolicy", Value::String("OrderedReady")),
        Make(
            "updateStrategy",
            &[
                // A type that is written gets no rolling update of its own.
                If(|strategy| strategy.text("type").is_empty(), &[Make("rollingUpdate", &[])]),
                Fill("type", ROLLING_UPDATE),
                If(is_rolling, &[In("rollingUpdate", &[Set("partition", int(0))])]),
            ],
        ),
        Make(
            "persistentVolumeClaimRetentionPolicy",
            &[Fill("whenDeleted", Value::String("Retain")), Fill("whenScaled", Value::String("Retain"))],
        ),
        Set("replicas", int(1)),
        Set("revisionHistoryLimit", int(10)),
        Make("template", TEMPLATE),
        Each("volumeClaimTemplates", CLAIM_TEMPLATE),
    ],
)];

pub(super) const REPLICATION_CONTROLLER: &[Rule] =
    &[Make("spec", &[]), Call(selector_and_labels), Make("spec", &[Set("replicas", int(1)), In("template", TEMPLATE)])];

pub(super) const JOB: &[Rule] = &[
    Make(
        "spec",
        &[
            If(|job| job.get("parallelism").is_none(), &[Set("completions", int(1))]),
            Set("parallelism", int(1)),
            If(|job| job.get("backoffLimitPerIndex").is_some(), &[Set("backoffLimit", int(i32::MAX as i64))]),
            Set("backoffLimit", int(6)),
        ],
    ),
    Call(own_labels),
    Make(
        "spec",
        &[
            Set("completionMode", Value::String("NonIndexed")),
            Set("suspend", FALSE),
            If(|job| job.get("podFailurePolicy").is_some(), &[Set("podReplacementPolicy", Value::String("Failed"))]),
            Set("podReplacementPolicy", Value::String("TerminatingOrFailed")),
            Set("manualSelector", FALSE),
        ],
    ),
    Make("spec", JOB_PODS),
];

const JOB_PODS: &[Rule] = &[
    In("podFailurePolicy", &[Each("rules", &[Each("onPodConditions", &[Fill("status", Value::String("True"))])])]),
    Make("template", TEMPLATE),
];

/// The jobs that it will make get their own defaults when they are made.
pub(super) const CRON_JOB: &[Rule] = &[Make(
    "spec",
    &[
        Fill("concurrencyPolicy", Value::String("Allow")),
        Set("suspend", FALSE),
        Set("successfulJobsHistoryLimit", int(3)),
        Set("failedJobsHistoryLimit", int(1)),
        Make("jobTemplate", &[Make("metadata", &[]), Make("spec", JOB_PODS)]),
    ],
)];

fn is_rolling(strategy: &Fields<'_>) -> bool {
    strategy.get("type") == Some(ROLLING_UPDATE)
}

/// The labels of the template, if there is any.
fn template_labels<'a>(workload: &Fields<'a>) -> Option<Object<'a>> {
    workload.at(&["spec", "template", "metadata", "labels"])?.as_object()
}

fn own_labels(job: &mut Fields<'_>) {
    let Some(labels) = template_labels(job).filter(|labels| !labels.is_empty()) else { return };
    let own = job.at(&["metadata", "labels"]).and_then(|own| own.as_object()).unwrap_or_default();
    if own.is_empty() {
        job.within("metadata", |metadata| metadata.set("labels", Value::Object(labels)));
    }
}

fn selector_and_labels(controller: &mut Fields<'_>) {
    let Some(labels) = template_labels(controller).filter(|labels| !labels.is_empty()) else { return };
    let selector = controller.at(&["spec", "selector"]).and_then(|own| own.as_object()).unwrap_or_default();
    if selector.is_empty() {
        controller.within("spec", |spec| spec.set("selector", Value::Object(labels)));
    }
    own_labels(controller);
}
