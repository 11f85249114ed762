//! Written and completed objects, kind by kind. The same rules are compared with the API server's own answers by
//! `tests/e2e/defaulting.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::json::{to_json, yaml};

fn kind_of(api_version: &'static str, kind: &'static str) -> GroupVersionKind<'static> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    GroupVersionKind { group, version, kind }
}

fn read<'a>(arena: &'a Arena, text: &str) -> Value<'a> {
    yaml::documents(arena, arena.alloc_str(text)).remove(0).expect(text).value
}

/// The whole object is as expected.
#[track_caller]
fn completes(api_version: &'static str, kind: &'static str, written: &str, expected: &str) {
    part(api_version, kind, &[], written, expected);
}

/// The part of the object at `path` is as expected.
#[track_caller]
fn part(api_version: &'static str, kind: &'static str, path: &[&str], written: &str, expected: &str) {
    let arena = Arena::new();
    let kind = kind_of(api_version, kind);
    let completed = default(&arena, kind, read(&arena, written));
    let found = path.iter().try_fold(completed, |value, step| match step.parse::<usize>() {
        Ok(index) => value.as_array()?.get(index).copied(),
        Err(_) => value.get(step),
    });
    let expected = read(&arena, expected);
    assert_eq!(found, Some(expected), "{}", to_json(found.unwrap_or(Value::Null)));
    assert_eq!(default(&arena, kind, completed), completed, "what is complete stays as it is");
}

/// The one container of a pod whose container is written as given, beside its name and image.
#[track_caller]
fn container(written: &str, field: &str, expected: &str) {
    let pod = format!("spec: {{containers: [{{name: a, image: 'app:1', {written}}}]}}");
    part("v1", "Pod", &["spec", "containers", "0", field], &pod, expected);
}

/// The one volume of a pod.
#[track_caller]
fn volume(written: &str, expected: &str) {
    let pod = format!("spec: {{containers: [], volumes: [{{name: v, {written}}}]}}");
    part("v1", "Pod", &["spec", "volumes", "0"], &pod, &format!("{{name: v, {expected}}}"));
}

#[test]
fn pods() {
    completes(
        "v1",
        "Pod",
        "metadata: {name: web}\nspec: {containers: [{name: a, image: app}]}",
        "
metadata: {name: web}
spec:
  containers:
  - name: a
    image: app
    imagePullPolicy: Always
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
    resources: {}
  enableServiceLinks: true
  dnsPolicy: ClusterFirst
  restartPolicy: Always
  securityContext: {}
  terminationGracePeriodSeconds: 30
  schedulerName: default-scheduler
status: {}",
    );
    let spec = |written: &str, field, expected| {
        part("v1", "Pod", &["spec", field], &format!("spec: {{containers: [], {written}}}"), expected);
    };
    spec("terminationGracePeriodSeconds: 0", "terminationGracePeriodSeconds", "0");
    spec("terminationGracePeriodSeconds: -5", "terminationGracePeriodSeconds", "1");
    spec("enableServiceLinks: false", "enableServiceLinks", "false");
    spec("dnsPolicy: ''", "dnsPolicy", "ClusterFirst");
    spec("serviceAccountName: a", "serviceAccount", "a");
    spec("serviceAccount: a", "serviceAccountName", "a");
    spec("serviceAccount: a, serviceAccountName: b", "serviceAccount", "b");
    spec("overhead: {cpu: 1000m}", "overhead", "{cpu: '1'}");
}

#[test]
fn containers() {
    container("ports: [{containerPort: 80}]", "ports", "[{containerPort: 80, protocol: TCP}]");
    container("imagePullPolicy: Never", "imagePullPolicy", "Never");
    container("imagePullPolicy: ''", "imagePullPolicy", "IfNotPresent");
    container(
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]",
        "env",
        "[{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name, apiVersion: v1}}}]",
    );
    container(
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]",
        "env",
        "[{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: '0'}}}]",
    );
    container(
        "env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k}}}]",
        "env",
        "[{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k, optional: false}}}]",
    );
    container(
        "lifecycle: {preStop: {httpGet: {port: 80}}}",
        "lifecycle",
        "{preStop: {httpGet: {port: 80, path: /, scheme: HTTP}}}",
    );
    container(
        "startupProbe: {grpc: {port: 1}, periodSeconds: 3}",
        "startupProbe",
        "{grpc: {port: 1, service: ''}, timeoutSeconds: 1, periodSeconds: 3, successThreshold: 1, failureThreshold: 3}",
    );
    container(
        "readinessProbe: {httpGet: {port: web, path: /x}, timeoutSeconds: 0}",
        "readinessProbe",
        "{httpGet: {port: web, path: /x, scheme: HTTP}, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3}",
    );
    let ephemeral = "spec: {ephemeralContainers: [{name: a, image: app}]}";
    part("v1", "Pod", &["spec", "ephemeralContainers", "0", "imagePullPolicy"], ephemeral, "Always");
}

#[test]
fn volumes() {
    volume("", "emptyDir: {}");
    volume("emptyDir: {sizeLimit: 1024Mi}", "emptyDir: {sizeLimit: 1Gi}");
    volume("hostPath: {path: /x}", "hostPath: {path: /x, type: ''}");
    volume("secret: {secretName: s}", "secret: {secretName: s, defaultMode: 420}");
    volume("configMap: {name: c, defaultMode: 0}", "configMap: {name: c, defaultMode: 0}");
    volume(
        "downwardAPI: {items: [{path: p, fieldRef: {fieldPath: f}}]}",
        "downwardAPI: {defaultMode: 420, items: [{path: p, fieldRef: {fieldPath: f, apiVersion: v1}}]}",
    );
    volume(
        "projected: {sources: [{serviceAccountToken: {path: t}}]}",
        "projected: {defaultMode: 420, sources: [{serviceAccountToken: {path: t, expirationSeconds: 3600}}]}",
    );
    volume(
        "iscsi: {targetPortal: t, iqn: i, lun: 0}",
        "iscsi: {targetPortal: t, iqn: i, lun: 0, iscsiInterface: default}",
    );
    volume(
        "rbd: {monitors: [m], image: i}",
        "rbd: {monitors: [m], image: i, pool: rbd, user: admin, keyring: /etc/ceph/keyring}",
    );
    volume(
        "azureDisk: {diskName: d, diskURI: u}",
        "azureDisk: {diskName: d, diskURI: u, cachingMode: ReadWrite, fsType: ext4, readOnly: false, kind: Shared}",
    );
    volume(
        "scaleIO: {gateway: g, system: s, secretRef: {}}",
        "scaleIO: {gateway: g, system: s, secretRef: {}, storageMode: ThinProvisioned, fsType: xfs}",
    );
    volume("image: {reference: 'app:latest'}", "image: {reference: 'app:latest', pullPolicy: Always}");
    volume(
        "ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}}}",
        "ephemeral: {volumeClaimTemplate: {metadata: {}, spec: {accessModes: [ReadWriteOnce], volumeMode: Filesystem, resources: {requests: {storage: 1Gi}}}}}",
    );
}

#[test]
fn requests_follow_from_limits_in_pods_alone() {
    container(
        "resources: {limits: {cpu: 1, memory: 1024Mi}, requests: {cpu: 0.5}}",
        "resources",
        "{limits: {cpu: '1', memory: 1Gi}, requests: {cpu: 500m, memory: 1Gi}}",
    );
    container("resources: {limits: {}, requests: {cpu: 1n}}", "resources", "{requests: {cpu: 1m}}");
    let path = ["spec", "template", "spec", "containers", "0", "resources"];
    let written = "spec: {template: {spec: {containers: [{resources: {limits: {cpu: 2000m}}}]}}}";
    part("apps/v1", "Deployment", &path, written, "{limits: {cpu: '2'}}");
}

#[test]
fn a_pods_own_requests_follow_from_its_containers_and_its_limits() {
    let resources = |own: &str, containers: &str, expected| {
        let written = format!("spec: {{resources: {own}, {containers}}}");
        part("v1", "Pod", &["spec", "resources"], &written, expected);
    };
    let two = "containers: [{resources: {requests: {cpu: 1}}}, {resources: {requests: {cpu: 500m, memory: 1Gi}}}]";
    resources(
        "{limits: {cpu: 4, memory: 8Gi}}",
        two,
        "{limits: {cpu: '4', memory: 8Gi}, requests: {cpu: 1500m, memory: 1Gi}}",
    );
    resources("{limits: {cpu: 4}, requests: {cpu: 2}}", two, "{limits: {cpu: '4'}, requests: {cpu: '2', memory: 1Gi}}");
    resources("{requests: {cpu: 4}}", two, "{requests: {cpu: '4'}}");
    resources(
        "{limits: {cpu: 4, memory: 1Gi}}",
        "containers: []",
        "{limits: {cpu: '4', memory: 1Gi}, requests: {cpu: '4', memory: 1Gi}}",
    );
    let huge = "containers: [{resources: {limits: {hugepages-2Mi: 4Mi}}}]";
    resources(
        "{limits: {cpu: 1}}",
        huge,
        "{limits: {cpu: '1', hugepages-2Mi: 4Mi}, requests: {cpu: '1', hugepages-2Mi: 4Mi}}",
    );
    let init =
        "initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 1}}}, {resources: {requests: {cpu: 3}}}],
        containers: [{resources: {requests: {cpu: 2}}}]";
    resources("{limits: {cpu: 9}}", init, "{limits: {cpu: '9'}, requests: {cpu: '4'}}");
}

#[test]
fn ports_of_a_pod_on_the_hosts_network_are_ports_of_the_host() {
    let ports = |network: &str, expected| {
        let written = format!("spec: {{{network} containers: [{{ports: [{{containerPort: 80}}]}}]}}");
        part("v1", "Pod", &["spec", "containers", "0", "ports"], &written, expected);
    };
    ports("hostNetwork: true,", "[{containerPort: 80, protocol: TCP, hostPort: 80}]");
    ports("hostNetwork: false,", "[{containerPort: 80, protocol: TCP}]");
}

#[test]
fn workloads() {
    let spec = |kind, written: &str, field, expected| part("apps/v1", kind, &["spec", field], written, expected);
    let rolling = "{type: RollingUpdate, rollingUpdate: {maxUnavailable: 25%, maxSurge: 25%}}";
    spec("Deployment", "spec: {}", "strategy", rolling);
    spec("Deployment", "spec: {strategy: {type: Recreate}}", "strategy", "{type: Recreate}");
    spec("Deployment", "{}", "replicas", "1");
    spec("Deployment", "spec: {replicas: 0}", "replicas", "0");
    spec("Deployment", "spec: {}", "revisionHistoryLimit", "10");
    spec("Deployment", "spec: {}", "progressDeadlineSeconds", "600");
    spec("ReplicaSet", "spec: {}", "replicas", "1");
    spec(
        "DaemonSet",
        "spec: {}",
        "updateStrategy",
        "{type: RollingUpdate, rollingUpdate: {maxUnavailable: 1, maxSurge: 0}}",
    );
    spec("StatefulSet", "spec: {}", "updateStrategy", "{type: RollingUpdate, rollingUpdate: {partition: 0}}");
    spec("StatefulSet", "spec: {updateStrategy: {type: RollingUpdate}}", "updateStrategy", "{type: RollingUpdate}");
    spec("StatefulSet", "spec: {}", "podManagementPolicy", "OrderedReady");
    spec(
        "StatefulSet",
        "spec: {}",
        "persistentVolumeClaimRetentionPolicy",
        "{whenDeleted: Retain, whenScaled: Retain}",
    );
    spec(
        "StatefulSet",
        "spec: {volumeClaimTemplates: [{metadata: {name: data}}]}",
        "volumeClaimTemplates",
        "[{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {volumeMode: Filesystem, resources: {}}, status: {phase: Pending}}]",
    );
    let template = ["spec", "template", "spec", "dnsPolicy"];
    for kind in ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"] {
        part("apps/v1", kind, &template, "spec: {template: {spec: {containers: []}}}", "ClusterFirst");
    }
    part("v1", "PodTemplate", &["template", "spec", "dnsPolicy"], "template: {spec: {}}", "ClusterFirst");
    let controller = "metadata: {name: x}\nspec: {template: {metadata: {labels: {app: web}}}}";
    part("v1", "ReplicationController", &["spec", "selector"], controller, "{app: web}");
    part("v1", "ReplicationController", &["metadata", "labels"], controller, "{app: web}");
    part("v1", "ReplicationController", &template, controller, "ClusterFirst");
}

#[test]
fn jobs() {
    let spec = |written: &str, field, expected| part("batch/v1", "Job", &["spec", field], written, expected);
    spec("spec: {}", "completions", "1");
    spec("spec: {parallelism: 2}", "parallelism", "2");
    spec("spec: {completions: 2}", "parallelism", "1");
    spec("spec: {}", "backoffLimit", "6");
    spec("spec: {backoffLimitPerIndex: 1}", "backoffLimit", "2147483647");
    spec("spec: {}", "completionMode", "NonIndexed");
    spec("spec: {}", "podReplacementPolicy", "TerminatingOrFailed");
    let failures = "spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: X}]}]}}";
    spec(failures, "podReplacementPolicy", "Failed");
    spec(failures, "podFailurePolicy", "{rules: [{action: Ignore, onPodConditions: [{type: X, status: 'True'}]}]}");
    spec("spec: {}", "manualSelector", "false");
    spec("spec: {suspend: true}", "suspend", "true");
    let labelled = "metadata: {name: x}\nspec: {template: {metadata: {labels: {app: web}}}}";
    part("batch/v1", "Job", &["metadata", "labels"], labelled, "{app: web}");
    let own = "metadata: {labels: {own: x}}\nspec: {template: {metadata: {labels: {app: web}}}}";
    part("batch/v1", "Job", &["metadata", "labels"], own, "{own: x}");

    let cron = |field, expected| part("batch/v1", "CronJob", &["spec", field], "spec: {schedule: x}", expected);
    cron("concurrencyPolicy", "Allow");
    cron("suspend", "false");
    cron("successfulJobsHistoryLimit", "3");
    cron("failedJobsHistoryLimit", "1");
    let arena = Arena::new();
    let bare = default(&arena, kind_of("batch/v1", "Job"), read(&arena, "{}"));
    assert_eq!(bare.at(&["metadata", "labels"]), None);
    let cron = default(&arena, kind_of("batch/v1", "CronJob"), read(&arena, "spec: {jobTemplate: {spec: {}}}"));
    let job = cron.at(&["spec", "jobTemplate", "spec"]).unwrap();
    assert_eq!(job.at(&["template", "spec", "schedulerName"]), Some(Value::String("default-scheduler")));
    assert_eq!(job.get("backoffLimit"), None, "a job gets its own defaults when it is made");
}

#[test]
fn services() {
    let service = |written: &str, expected| part("v1", "Service", &["spec"], written, expected);
    service(
        "spec: {ports: [{port: 80}]}",
        "{ports: [{port: 80, protocol: TCP, targetPort: 80}], sessionAffinity: None, type: ClusterIP, internalTrafficPolicy: Cluster}",
    );
    service(
        "spec: {type: LoadBalancer}",
        "{type: LoadBalancer, sessionAffinity: None, externalTrafficPolicy: Cluster, internalTrafficPolicy: Cluster, allocateLoadBalancerNodePorts: true}",
    );
    service(
        "spec: {type: NodePort, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {}}}",
        "{type: NodePort, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 10800}}, externalTrafficPolicy: Cluster, internalTrafficPolicy: Cluster}",
    );
    service(
        "spec: {type: ExternalName, externalName: x, sessionAffinityConfig: {}}",
        "{type: ExternalName, externalName: x, sessionAffinity: None}",
    );
    service(
        "spec: {externalIPs: [1.2.3.4]}",
        "{externalIPs: [1.2.3.4], sessionAffinity: None, type: ClusterIP, externalTrafficPolicy: Cluster, internalTrafficPolicy: Cluster}",
    );
    let balanced = "spec: {type: LoadBalancer}\nstatus: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}";
    part("v1", "Service", &["status"], balanced, "{loadBalancer: {ingress: [{ip: 1.2.3.4, ipMode: VIP}]}}");
}

#[test]
fn other_kinds_of_the_core_group() {
    completes(
        "v1",
        "Secret",
        "data: {a: YQ==}\nstringData: {b: ü}",
        "{data: {a: YQ==, b: w7w=}, type: Opaque, metadata: {}}",
    );
    completes("v1", "ConfigMap", "data: {}\nmetadata: {annotations: null}", "{metadata: {}}");
    completes(
        "v1",
        "Namespace",
        "metadata: {name: media}",
        "{metadata: {name: media, labels: {kubernetes.io/metadata.name: media}}, spec: {}, status: {phase: Active}}",
    );
    completes(
        "v1",
        "Namespace",
        "metadata: {generateName: m-}",
        "{metadata: {generateName: m-}, spec: {}, status: {phase: Active}}",
    );
    completes(
        "v1",
        "PersistentVolumeClaim",
        "spec: {resources: {requests: {storage: 1024Mi}}}",
        "{metadata: {}, spec: {resources: {requests: {storage: 1Gi}}, volumeMode: Filesystem}, status: {phase: Pending}}",
    );
    part(
        "v1",
        "PersistentVolume",
        &["spec"],
        "spec: {capacity: {storage: 1024Mi}, hostPath: {path: /x}}",
        "{capacity: {storage: 1Gi}, hostPath: {path: /x, type: ''}, persistentVolumeReclaimPolicy: Retain, volumeMode: Filesystem}",
    );
    part("v1", "Endpoints", &["subsets"], "subsets: [{ports: [{port: 1}]}]", "[{ports: [{port: 1, protocol: TCP}]}]");
    part("v1", "ResourceQuota", &["spec"], "spec: {hard: {pods: 3}}", "{hard: {pods: '3'}}");
    part(
        "v1",
        "LimitRange",
        &["spec", "limits", "0"],
        "spec: {limits: [{type: Container, max: {cpu: 2}, min: {memory: 1Mi}}]}",
        "{type: Container, max: {cpu: '2'}, min: {memory: 1Mi}, default: {cpu: '2'}, defaultRequest: {cpu: '2', memory: 1Mi}}",
    );
}

#[test]
fn kinds_of_other_groups() {
    let policy = |written: &str, expected| part("networking.k8s.io/v1", "NetworkPolicy", &["spec"], written, expected);
    policy("spec: {}", "{podSelector: {}, policyTypes: [Ingress]}");
    policy(
        "spec: {egress: [{ports: [{port: 53}]}]}",
        "{podSelector: {}, egress: [{ports: [{port: 53, protocol: TCP}]}], policyTypes: [Ingress, Egress]}",
    );
    let class = "spec: {parameters: {kind: K, name: n}}";
    part("networking.k8s.io/v1", "IngressClass", &["spec", "parameters", "scope"], class, "Cluster");
    part(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        &["ports"],
        "ports: [{port: 1}]",
        "[{port: 1, name: '', protocol: TCP}]",
    );
    let scaler = |version, written: &str, field, expected| {
        part(version, "HorizontalPodAutoscaler", &["spec", field], written, expected);
    };
    scaler("autoscaling/v2", "spec: {}", "minReplicas", "1");
    scaler(
        "autoscaling/v2",
        "spec: {}",
        "metrics",
        "[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]",
    );
    scaler(
        "autoscaling/v2",
        "spec: {behavior: {scaleDown: {selectPolicy: Min}}}",
        "behavior",
        "
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies: [{type: Pods, value: 4, periodSeconds: 15}, {type: Percent, value: 100, periodSeconds: 15}]
scaleDown: {selectPolicy: Min, policies: [{type: Percent, value: 100, periodSeconds: 15}]}",
    );
    scaler("autoscaling/v1", "spec: {}", "targetCPUUtilizationPercentage", "80");
    let binding =
        "{roleRef: {kind: Role, name: r}, subjects: [{kind: User, name: u}, {kind: ServiceAccount, name: s}]}";
    let subjects = "[{kind: User, name: u, apiGroup: rbac.authorization.k8s.io}, {kind: ServiceAccount, name: s}]";
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        let api = "rbac.authorization.k8s.io/v1";
        part(api, kind, &["subjects"], binding, subjects);
        part(api, kind, &["roleRef", "apiGroup"], binding, "rbac.authorization.k8s.io");
    }
    part("scheduling.k8s.io/v1", "PriorityClass", &["preemptionPolicy"], "value: 1", "PreemptLowerPriority");
    part("storage.k8s.io/v1", "StorageClass", &["reclaimPolicy"], "provisioner: p", "Delete");
    part("storage.k8s.io/v1", "StorageClass", &["volumeBindingMode"], "provisioner: p", "Immediate");
    part(
        "storage.k8s.io/v1",
        "CSIDriver",
        &["spec"],
        "spec: {podInfoOnMount: true}",
        "{podInfoOnMount: true, attachRequired: true, storageCapacity: false, fsGroupPolicy: ReadWriteOnceWithFSType, volumeLifecycleModes: [Persistent], requiresRepublish: false, seLinuxMount: false}",
    );
}

#[test]
fn zero_values_are_written_as_the_api_server_does() {
    let spec = "spec: {hostPID: false, nodeSelector: {}, nodeName: null, hostUsers: false, containers: [{name: a, args: [], tty: false, env: [{name: A, value: ''}], volumeMounts: [{name: v, mountPath: /, readOnly: false}]}]}";
    let arena = Arena::new();
    let pod = default(&arena, kind_of("v1", "Pod"), read(&arena, spec));
    let spec = pod.get("spec").unwrap();
    for gone in ["hostPID", "nodeSelector", "nodeName"] {
        assert_eq!(spec.get(gone), None, "{gone}");
    }
    assert_eq!(spec.get("hostUsers"), Some(Value::Bool(false)), "a pointer keeps what it points to");
    let container = spec.get("containers").unwrap().as_array().unwrap()[0];
    assert_eq!((container.get("args"), container.get("tty")), (None, None));
    assert_eq!(container.get("env"), Some(read(&arena, "[{name: A}]")));
    assert_eq!(container.get("volumeMounts"), Some(read(&arena, "[{name: v, mountPath: /}]")));
}

#[test]
fn a_null_in_a_list_or_a_map_of_plain_values_is_their_zero() {
    let annotations = "metadata: {annotations: {a: null, b: x}}";
    part("v1", "Pod", &["metadata", "annotations"], annotations, "{a: '', b: x}");
    part("v1", "ConfigMap", &["data"], "data: {a: null}", "{a: ''}");
    part(
        "apps/v1",
        "Deployment",
        &["spec", "selector"],
        "spec: {selector: {matchLabels: {a: null}}}",
        "{matchLabels: {a: ''}}",
    );
    part(
        "v1",
        "Pod",
        &["spec", "securityContext"],
        "spec: {securityContext: {supplementalGroups: [null, 5]}}",
        "{supplementalGroups: [0, 5]}",
    );
    let container = "spec: {containers: [{args: [null, x], securityContext: {capabilities: {drop: [null]}}}]}";
    part("v1", "Pod", &["spec", "containers", "0", "args"], container, "['', x]");
    part("v1", "Pod", &["spec", "containers", "0", "securityContext"], container, "{capabilities: {drop: ['']}}");
    // Bytes are no list in JSON.
    part("v1", "ConfigMap", &["binaryData"], "binaryData: {a: null}", "{a: null}");
}

#[test]
fn leaves_alone_what_it_does_not_know() {
    let arena = Arena::new();
    let same = |api, kind, text: &str| {
        let object = read(&arena, text);
        assert_eq!(default(&arena, kind_of(api, kind), object), object);
    };
    same("example.com/v1", "Pod", "spec: {containers: [{image: app}], empty: null}");
    same("v2", "Pod", "spec: {}");
    same("v1", "Pod", "text");
    part("v1", "Pod", &["spec", "ofALaterVersion"], "spec: {ofALaterVersion: {a: []}}", "{a: []}");
    // What is of the wrong type is for validation to refuse.
    part("v1", "Pod", &["spec"], "spec: text", "text");
    part("v1", "Pod", &["spec", "containers"], "spec: {containers: {a: b}}", "{a: b}");
    part("v1", "Pod", &["spec", "containers"], "spec: {containers: [1, null]}", "[1, null]");
    part("v1", "Secret", &["stringData"], "stringData: text", "text");
}

#[test]
fn takes_objects_with_very_many_members() {
    let started = std::time::Instant::now();
    let many = |value: &str| (0..20_000).map(|i| format!("x{i}: {value}")).collect::<Vec<_>>().join(", ");
    let (limits, unknown) = (many("1000m"), many("null"));
    let path = ["spec", "containers", "0", "resources", "requests", "x19999"];
    let pod = format!(
        "spec: {{resources: {{limits: {{{limits}}}}}, containers: [{{resources: {{limits: {{{limits}}}}}, {unknown}}}]}}"
    );
    part("v1", "Pod", &path, &pod, "'1'");
    part("v1", "Secret", &["data", "x19999"], &format!("stringData: {{{}}}", many("a")), "YQ==");
    // Seconds in a debug build on a busy machine; a quadratic way would take hours.
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn shares_what_it_does_not_change() {
    let arena = Arena::new();
    let pod = read(&arena, "metadata: {labels: {a: b}}\nspec: {containers: [], affinity: {nodeAffinity: {}}}");
    let completed = default(&arena, kind_of("v1", "Pod"), pod);
    for path in [["metadata", "labels"], ["spec", "affinity"]] {
        let [before, after] = [pod, completed].map(|pod| pod.at(&path).unwrap().as_object().unwrap().members());
        assert!(std::ptr::eq(before, after));
    }
}

#[test]
fn a_patched_object_gets_what_a_whole_one_would() {
    let pod = kind_of("v1", "Pod");
    let written = "
metadata: {name: web, labels: {a: b}}
spec:
  hostNetwork: true
  containers:
  - {name: a, image: app, ports: [{containerPort: 80}], resources: {limits: {cpu: 1000m}}}
  - {name: b, image: app:1}
  volumes: [{name: v, hostPath: {path: /a}}]
";
    for patch in [
        "[{op: add, path: /spec/containers/0, value: {name: new, image: app, args: [], ports: [{containerPort: 81}]}}]",
        "[{op: add, path: /spec/containers/1/resources, value: {limits: {memory: 1024Mi}}}]",
        "[{op: add, path: /spec/containers/0/resources/limits/memory, value: 2048Ki}]",
        "[{op: replace, path: /spec/containers/0/image, value: 'app:2'}, {op: remove, path: /spec/containers/0/ports}]",
        "[{op: add, path: /spec/initContainers, value: []}, {op: copy, from: /spec/containers/0, path: /spec/initContainers/-}]",
        "[{op: replace, path: /spec/containers/1/resources, value: null}, {op: add, path: /spec/hostPID, value: false}]",
        "[{op: replace, path: /spec, value: {containers: [{}], securityContext: {}}}]",
        "[{op: replace, path: /spec/volumes/0, value: {name: v, emptyDir: {sizeLimit: 1000m}}}]",
    ] {
        let arena = Arena::new();
        let before = default(&arena, pod, read(&arena, written));
        let patch = crate::json::Patch::from_value(read(&arena, patch)).expect(patch);
        let patched = patch.apply(&arena, before, &crate::json::PatchLimits::default()).unwrap();
        let (quick, whole) = (default_patched(&arena, pod, before, patched), default(&arena, pod, patched));
        assert_eq!(to_json(quick), to_json(whole));
    }
}
