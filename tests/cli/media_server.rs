//! What a change of a policy does to a real repository: the audit of a media server with the mistakes that such
//! repositories have.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Run, portcullis};

/// The audit of the fixture with the profile and the params of a media server.
fn audit(format: &str) -> Run {
    portcullis(&[
        "audit",
        "tests/fixtures/media-server",
        "--profile",
        "media-server",
        "--params",
        "policies/params/k8s-nas.yaml",
        "--params",
        "tests/fixtures/media-server-params.yaml",
        "--format",
        format,
    ])
}

#[test]
fn reports_a_media_server() {
    let run = audit("text");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(run.stdout);
}

/// What a review of such a repository finds: a mistake, the policy that tells of it, and where.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    (
        "a privileged container",
        "pss-baseline-privileged",
        "jellyfin",
        "spec.template.spec.containers[0].securityContext.privileged",
    ),
    ("an image that moves", "require-pinned-images", "jellyfin", "spec.template.spec.containers[0].image"),
    ("a path that Argo CD won't find", "argocd-source-path", "root", "spec.source.path"),
    ("an empty Secret", "no-empty-secrets", "vpn", "data['OPENVPN_PASSWORD']"),
    ("a key in a manifest", "api-keys-from-secrets", "unpackerr", "spec.template.spec.containers[0].env[0].value"),
    ("a key in a ConfigMap", "no-secrets-in-configmaps", "unpackerr", "data['UN_RADARR_0_API_KEY']"),
    ("a password in a manifest", "api-keys-from-secrets", "grafana", "spec.template.spec.containers[0].env[0].value"),
    (
        "configuration on the node",
        "config-on-pvc",
        "radarr",
        "spec.template.spec.containers[0].volumeMounts[0].mountPath",
    ),
    ("a storage class of its own", "storage-class-allowed", "jellyfin-config", "spec.storageClassName"),
    ("no probes", "require-probes", "radarr", "spec.template.spec.containers[0].readinessProbe"),
    (
        "no security context",
        "pss-restricted-run-as-non-root",
        "radarr",
        "spec.template.spec.containers[0].securityContext.runAsNonRoot",
    ),
    ("no resources", "require-resources", "radarr", "spec.template.spec.containers[0].resources.requests"),
    ("no mark for a backup", "backup-required", "jellyfin-config", "metadata.labels"),
    ("no metrics", "metrics-discoverable", "radarr", "metadata.annotations['prometheus.io/scrape']"),
    ("a host in plain text", "ingress-tls-required", "library", "spec.rules[0].host"),
    ("a port of the node", "service-exposure", "jellyfin", "spec.type"),
    ("downloads past the VPN", "vpn-required", "qbittorrent", "spec.template.spec.containers[0].image"),
    ("a certificate that is renewed late", "certificate-renewal", "series", "spec.renewBefore"),
];

#[test]
fn finds_each_mistake_of_a_media_server_and_none_where_there_is_none() {
    let report: Value = serde_json::from_str(&audit("json").stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    for (mistake, policy, object, field) in MISTAKES {
        let is_it = |finding: &Value| {
            finding["policy"] == *policy && finding["object"]["name"] == *object && finding["field"] == *field
        };
        assert!(findings.iter().any(is_it), "{mistake}");
    }
    let wrong: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["object"]["name"].as_str()).collect();
    for right in ["sonarr", "sonarr-config"] {
        assert!(!wrong.contains(right), "{right}");
    }
}
