//! Defaults of volumes, claims and what provides them. Upstream: `pkg/apis/core/v1`, `pkg/apis/storage/v1`.

use crate::json::Value;

use super::pod::{AZURE_DISK, HOST_PATH, ISCSI, LIMITS_AND_REQUESTS, RBD, SCALE_IO};
use super::quantity::resource_list;
use super::rule::Rule;
use super::rule::Rule::{Call, Fill, In, Make, Set};

const FALSE: Value<'static> = Value::Bool(false);
const FILESYSTEM: Value<'static> = Value::String("Filesystem");
const PENDING: Value<'static> = Value::String("Pending");

/// A claim.
pub(super) const CLAIM: &[Rule] = &[Make("spec", CLAIM_SPEC), Make("status", &[Fill("phase", PENDING)])];

pub(super) const CLAIM_SPEC: &[Rule] = &[Set("volumeMode", FILESYSTEM), Make("resources", LIMITS_AND_REQUESTS)];

/// One of a StatefulSet's claims, which says what it is since conversion writes it so.
pub(super) const CLAIM_TEMPLATE: &[Rule] = &[
    Call(|claim| claim.set("apiVersion", Value::String("v1"))),
    Call(|claim| claim.set("kind", Value::String("PersistentVolumeClaim"))),
    Make("metadata", &[]),
    Make("spec", CLAIM_SPEC),
    Make("status", &[Fill("phase", PENDING)]),
];

pub(super) const VOLUME: &[Rule] = &[
    Make(
        "spec",
        &[
            Fill("persistentVolumeReclaimPolicy", Value::String("Retain")),
            Set("volumeMode", FILESYSTEM),
            Call(|spec| resource_list(spec, "capacity")),
            In("hostPath", HOST_PATH),
            In("rbd", RBD),
            In("iscsi", ISCSI),
            In("azureDisk", AZURE_DISK),
            In("scaleIO", SCALE_IO),
        ],
    ),
    Make("status", &[Fill("phase", PENDING)]),
];

pub(super) const CLASS: &[Rule] =
    &[Set("reclaimPolicy", Value::String("Delete")), Set("volumeBindingMode", Value::String("Immediate"))];

pub(super) const CSI_DRIVER: &[Rule] = &[Make(
    "spec",
    &[
        Set("attachRequired", Value::Bool(true)),
        Set("podInfoOnMount", FALSE),
        Set("storageCapacity", FALSE),
        Set("fsGroupPolicy", Value::String("ReadWriteOnceWithFSType")),
        Fill("volumeLifecycleModes", Value::Array(&[Value::String("Persistent")])),
        Set("requiresRepublish", FALSE),
        Set("seLinuxMount", FALSE),
    ],
)];
