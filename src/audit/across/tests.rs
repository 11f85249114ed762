//! What the rules find, and when they keep silent.

use crate::json::Arena;
use crate::manifests::{TextFile, collect};

use super::*;

/// What is found in documents, as `rule: field`.
fn found(texts: &[&str]) -> Vec<String> {
    found_by(Across::default(), texts).into_iter().map(|found| format!("{}: {}", found.rule, found.field)).collect()
}

fn found_by(mut across: Across, texts: &[&str]) -> Vec<Violation> {
    let files = [TextFile { name: "input.yaml".to_owned(), path: None, text: texts.join("\n---\n") }];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    assert_eq!(collection.unreadable, []);
    across.learn(&collection.manifests, &collection.left_out);
    collection.manifests.iter().flat_map(|manifest| across.violations(manifest)).collect()
}

fn object(api_version: &str, kind: &str, name: &str, rest: &str) -> String {
    format!("{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: {name}, namespace: media}}, {rest}}}")
}

/// A Deployment whose pods have this.
fn deployment(spec: &str) -> String {
    object("apps/v1", "Deployment", "app", &format!("spec: {{template: {{spec: {{{spec}}}}}}}"))
}

fn secret(name: &str) -> String {
    object("v1", "Secret", name, "")
}

const READS_SECRET: &str =
    "containers: [{name: a, env: [{name: A, valueFrom: {secretKeyRef: {name: app-key, key: k}}}]}]";
const SECRET: &str = "secret-exists: spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name";

#[test]
fn finds_each_way_to_name_what_is_missing() {
    let others = [
        secret("other"),
        object("v1", "ConfigMap", "other", ""),
        object("v1", "PersistentVolumeClaim", "other", ""),
        object("v1", "ServiceAccount", "other", ""),
    ]
    .join("\n---\n");
    for (spec, expected) in [
        ("serviceAccountName: app", "service-account-exists: spec.template.spec.serviceAccountName"),
        ("serviceAccount: app", "service-account-exists: spec.template.spec.serviceAccount"),
        ("volumes: [{configMap: {name: app}}]", "config-map-exists: spec.template.spec.volumes[0].configMap.name"),
        ("volumes: [{secret: {secretName: app}}]", "secret-exists: spec.template.spec.volumes[0].secret.secretName"),
        (
            "volumes: [{persistentVolumeClaim: {claimName: app}}]",
            "claim-exists: spec.template.spec.volumes[0].persistentVolumeClaim.claimName",
        ),
        (
            "volumes: [{projected: {sources: [{secret: {name: other}}, {configMap: {name: app}}]}}]",
            "config-map-exists: spec.template.spec.volumes[0].projected.sources[1].configMap.name",
        ),
        (
            "initContainers: [{name: a, env: [{name: A, valueFrom: {configMapKeyRef: {name: app, key: k}}}]}]",
            "config-map-exists: spec.template.spec.initContainers[0].env[0].valueFrom.configMapKeyRef.name",
        ),
        (READS_SECRET, SECRET),
        (
            "containers: [{name: a, envFrom: [{secretRef: {name: other}}, {configMapRef: {name: app}}]}]",
            "config-map-exists: spec.template.spec.containers[0].envFrom[1].configMapRef.name",
        ),
    ] {
        assert_eq!(found(&[&others, &deployment(spec)]), [expected], "{spec}");
        assert_eq!(found(&[&deployment(spec)]), [] as [&str; 0], "nothing of the kind is kept here: {spec}");
        let named = spec.replace("app-key", "app").replace("app", "other");
        assert_eq!(found(&[&others, &deployment(&named)]), [] as [&str; 0], "{named}");
    }
}

#[test]
fn finds_references_in_every_workload_and_in_what_is_no_workload() {
    let pod = "spec: {serviceAccountName: app, containers: [{name: a}]}";
    let account = object("v1", "ServiceAccount", "other", "");
    for (api_version, kind, rest, field) in [
        ("v1", "Pod", pod.to_owned(), "spec.serviceAccountName"),
        ("v1", "PodTemplate", format!("template: {{{pod}}}"), "template.spec.serviceAccountName"),
        ("batch/v1", "Job", format!("spec: {{template: {{{pod}}}}}"), "spec.template.spec.serviceAccountName"),
        (
            "batch/v1",
            "CronJob",
            format!("spec: {{jobTemplate: {{spec: {{template: {{{pod}}}}}}}}}"),
            "spec.jobTemplate.spec.template.spec.serviceAccountName",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "subjects: [{kind: User, name: app}, {kind: ServiceAccount, name: app}]".to_owned(),
            "subjects[1].name",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            "subjects: [{kind: ServiceAccount, name: app, namespace: media}]".to_owned(),
            "subjects[0].name",
        ),
    ] {
        let found = found(&[&account, &object(api_version, kind, "app", &rest)]);
        assert_eq!(found, [format!("service-account-exists: {field}")], "{kind}");
    }
    let ingress =
        object("networking.k8s.io/v1", "Ingress", "app", "spec: {tls: [{hosts: [a]}, {secretName: app-tls}]}");
    let certificate = object("v1", "Secret", "other-tls", "type: kubernetes.io/tls");
    assert_eq!(found(&[&secret("other"), &ingress]), [] as [&str; 0], "no certificate is kept here");
    let issued = object("cert-manager.io/v1", "Certificate", "other", "spec: {secretName: other-tls}");
    for kept in [certificate.clone(), issued] {
        assert_eq!(found(&[&kept, &ingress]), ["secret-exists: spec.tls[1].secretName"]);
        assert_eq!(found(&[&kept, &secret("app-tls"), &ingress]), [] as [&str; 0]);
        assert_eq!(found(&[&kept, &ingress.replace("app-tls", "other-tls")]), [] as [&str; 0]);
    }
    let made =
        ingress.replace("namespace: media", "namespace: media, annotations: {cert-manager.io/cluster-issuer: le}");
    assert_eq!(found(&[&certificate, &made]), [] as [&str; 0]);
}

#[test]
fn keeps_silent_about_what_is_there_by_itself_or_not_needed() {
    let others = [secret("other"), object("v1", "ConfigMap", "other", ""), object("v1", "ServiceAccount", "other", "")];
    let others = others.join("\n---\n");
    for spec in [
        "serviceAccountName: default",
        "volumes: [{configMap: {name: kube-root-ca.crt}}]",
        "volumes: [{secret: {secretName: app, optional: true}}]",
        "volumes: [{projected: {sources: [{configMap: {name: app, optional: true}}]}}]",
        "containers: [{name: a, envFrom: [{secretRef: {name: app, optional: true}}]}]",
        "containers: [{name: a, envFrom: [{secretRef: {name: '${APP}-key'}}]}]",
        "volumes: [{ephemeral: {volumeClaimTemplate: {}}}]",
        "imagePullSecrets: [{name: app}]",
    ] {
        assert_eq!(found(&[&others, &deployment(spec)]), [] as [&str; 0], "{spec}");
    }
}

#[test]
fn what_something_else_may_make_is_not_missing() {
    let app = deployment(READS_SECRET);
    for maker in [
        object("bitnami.com/v1alpha1", "SealedSecret", "app-key", ""),
        object("external-secrets.io/v1", "ExternalSecret", "app", "spec: {target: {name: app-key}}"),
        object("cert-manager.io/v1", "Certificate", "app", "spec: {secretName: app-key}"),
        object("postgresql.cnpg.io/v1", "Cluster", "app", ""),
        "{apiVersion: external-secrets.io/v1, kind: ClusterExternalSecret, metadata: {name: keys}, spec: \
         {externalSecretName: app-key}}"
            .to_owned(),
        object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "chart", "spec: {}"),
        object("helm.cattle.io/v1", "HelmChart", "chart", "spec: {targetNamespace: media}").replace("namespace: media}", "namespace: kube-system}"),
        "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: chart, namespace: argocd}, spec: {source: \
         {chart: redis}, destination: {namespace: media}}}"
            .to_owned(),
        "{apiVersion: v1, kind: Secret, metadata: {name: app-key, namespace: shared, annotations: \
         {reflector.v1.k8s.emberstack.com/reflection-auto-enabled: 'true'}}}"
            .to_owned(),
        "{apiVersion: v1, kind: Secret, metadata: {name: app-key}}".to_owned(),
    ] {
        assert_eq!(found(&[&secret("other"), &app, &maker]), [] as [&str; 0], "{maker}");
    }
    for no_maker in [
        object("bitnami.com/v1alpha1", "SealedSecret", "app-keys", ""),
        object("bitnami.com/v1alpha1", "SealedSecret", "app-key", "").replace("namespace: media", "namespace: other"),
        object("v1", "ConfigMap", "app-key", ""),
        "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: x, namespace: argocd}, spec: {source: {path: \
         apps}, destination: {namespace: media}}}"
            .to_owned(),
    ] {
        assert_eq!(found(&[&secret("other"), &app, &no_maker]), [SECRET], "{no_maker}");
    }
    let set = object("apps/v1", "StatefulSet", "db", "spec: {volumeClaimTemplates: [{metadata: {name: data}}]}");
    let backup = deployment("volumes: [{persistentVolumeClaim: {claimName: data-db-0}}]");
    let claim = object("v1", "PersistentVolumeClaim", "other", "");
    assert_eq!(found(&[&claim, &backup]).len(), 1);
    assert_eq!(found(&[&claim, &backup, &set]), [] as [&str; 0]);
}

#[test]
fn says_what_was_probably_meant_and_each_thing_once() {
    let twice =
        "containers: [{name: a, envFrom: [{secretRef: {name: vpn-credential}}, {secretRef: {name: vpn-credential}}]}]";
    let found = found_by(Across::default(), &[&secret("vpn-credentials"), &deployment(twice)]);
    assert_eq!(
        found.iter().map(|found| found.message.as_str()).collect::<Vec<_>>(),
        [
            "spec.template.spec.containers[0].envFrom[0].secretRef.name: there is no Secret \"vpn-credential\" among the \
          manifests, which hold others of namespace \"media\": write vpn-credentials, or exempt it if something else \
          makes it"
        ]
    );
}

#[test]
fn kustomizations_and_charts_that_were_not_built_may_make_anything() {
    let input = [secret("other"), deployment(&format!("serviceAccountName: app, {READS_SECRET}"))];
    let accounts = object("v1", "ServiceAccount", "other", "");
    let input = [&*input[0], &*input[1], &*accounts];
    for (change, generated, left) in [
        (Change::Images, "", 2),
        (Change::Generators, "", 1),
        (Change::Generators, "app-key", 1),
        (Change::Generators, "another", 2),
        (Change::Remote, "", 0),
        (Change::HelmCharts, "", 0),
    ] {
        let mut across = Across::default();
        let generated = Some(generated.to_owned()).filter(|name| !name.is_empty()).into_iter().collect();
        across.learn_unbuilt(&Unbuilt { file: "kustomization.yaml".to_owned(), changes: vec![change], generated });
        assert_eq!(found_by(across, &input).len(), left, "{change:?}");
    }
    for (reason, left) in [(Reason::Compose, 2), (Reason::HelmTemplate, 0), (Reason::HelmChart, 0)] {
        let mut across = Across::default();
        across.learn_left_out(&LeftOut { source: crate::policy::model::Source::default(), reason });
        assert_eq!(found_by(across, &input).len(), left, "{reason:?}");
    }
}

#[test]
fn with_more_names_than_are_kept_nothing_is_missing() {
    let input = [secret("other"), deployment(READS_SECRET)];
    let input = [&*input[0], &*input[1]];
    for (bytes, left) in [(100, 1), (69, 0)] {
        let across = Across { names: Names::of_at_most(bytes), ..Across::default() };
        assert_eq!(found_by(across, &input).len(), left, "{bytes}");
    }
}

const NAMESPACE: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: media}}";

#[test]
fn a_namespace_needs_a_policy_that_denies_what_no_other_allows() {
    const FOUND: [&str; 1] = ["namespace-default-deny: metadata.name"];
    let policy = |spec: &str| object("networking.k8s.io/v1", "NetworkPolicy", "deny", &format!("spec: {{{spec}}}"));
    assert_eq!(found(&[NAMESPACE]), FOUND);
    for (isolating, expected) in [
        (policy("podSelector: {}"), false),
        (policy("podSelector: {}, policyTypes: [Ingress, Egress]"), false),
        (policy("podSelector: {matchLabels: {}}, ingress: [{from: [{podSelector: {}}]}]"), false),
        (policy("podSelector: {}, ingress: [{ports: [{port: 80}]}]"), false),
        (policy("podSelector: {}, policyTypes: [Egress]"), true),
        (policy("podSelector: {}, ingress: [{}]"), true),
        (policy("podSelector: {matchLabels: {app: a}}"), true),
        (policy("podSelector: {matchExpressions: [{key: a, operator: Exists}]}"), true),
        (policy("podSelector: {}").replace("namespace: media", "namespace: other"), true),
        (policy("podSelector: {}").replace(", namespace: media", ""), false),
        (object("cilium.io/v2", "CiliumNetworkPolicy", "deny", "spec: {endpointSelector: {}}"), false),
        (object("cilium.io/v2", "CiliumNetworkPolicy", "a", "spec: {endpointSelector: {matchLabels: {a: b}}}"), true),
        (object("projectcalico.org/v3", "NetworkPolicy", "deny", "spec: {selector: all()}"), false),
        (object("projectcalico.org/v3", "GlobalNetworkPolicy", "deny", "spec: {}"), false),
        (object("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "deny", "spec: {}"), false),
    ] {
        assert_eq!(!found(&[NAMESPACE, &isolating]).is_empty(), expected, "{isolating}");
    }
    assert_eq!(found(&[&NAMESPACE.replace("media", "kube-system")]), [] as [&str; 0]);
    assert_eq!(
        found(&[&deployment("containers: [{name: a}]")]),
        [] as [&str; 0],
        "who makes the namespace protects it"
    );
}

fn service(labels: &str, port: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: app, namespace: media, labels: {labels}}}, spec: {{ports: \
         [{{name: http, port: 80}}, {{name: {port}, port: 9090}}]}}}}"
    )
}

fn monitor(spec: &str) -> String {
    object("monitoring.coreos.com/v1", "ServiceMonitor", "m", &format!("spec: {{{spec}}}"))
}

#[test]
fn a_service_with_metrics_needs_a_monitor_where_there_are_monitors() {
    const FOUND: [&str; 1] = ["service-monitored: spec.ports[1].name"];
    let other = monitor("selector: {matchLabels: {app: other}}");
    let app = service("{app: web, tier: back}", "http-metrics");
    assert_eq!(found(&[&app, &other]), FOUND);
    assert_eq!(found(&[&app]), [] as [&str; 0], "nobody says that there is an operator");
    assert_eq!(found(&[&service("{app: web}", "grpc"), &other]), [] as [&str; 0]);
    let annotated = app.replace("labels:", "annotations: {prometheus.io/scrape: 'true'}, labels:");
    assert_eq!(found(&[&annotated, &other]), [] as [&str; 0]);
    for (selects, spec) in [
        (true, "selector: {}"),
        (true, "selector: {matchLabels: {app: web}}"),
        (true, "selector: {matchExpressions: [{key: tier, operator: In, values: [front, back]}]}"),
        (true, "selector: {matchExpressions: [{key: tier, operator: Exists}, {key: gone, operator: DoesNotExist}]}"),
        (true, "selector: {matchLabels: {app: web}}, namespaceSelector: {matchNames: [other, media]}"),
        (true, "selector: {matchLabels: {app: web}}, namespaceSelector: {any: true}"),
        (true, "selector: {matchExpressions: [{key: tier, operator: Unknown}]}"),
        (false, "selector: {matchLabels: {app: web, tier: front}}"),
        (false, "selector: {matchExpressions: [{key: tier, operator: NotIn, values: [back]}]}"),
        (false, "selector: {matchLabels: {app: web}}, namespaceSelector: {matchNames: [other]}"),
    ] {
        assert_eq!(found(&[&app, &other, &monitor(spec)]).is_empty(), selects, "{spec}");
    }
    let elsewhere = monitor("selector: {}").replace("namespace: media", "namespace: monitoring");
    assert_eq!(found(&[&app, &elsewhere]), FOUND, "a monitor looks at its own namespace");
    for other_way in [
        object("monitoring.coreos.com/v1", "PodMonitor", "p", "spec: {selector: {}}"),
        object("monitoring.coreos.com/v1alpha1", "ScrapeConfig", "s", "spec: {}"),
    ] {
        assert_eq!(found(&[&app, &other, &other_way]), [] as [&str; 0], "{other_way}");
    }
    for (most, left) in [(2, 1), (1, 0)] {
        let across = Across { monitors: Monitors::of_at_most(most), ..Across::default() };
        let second = other.replace("name: m,", "name: n,");
        assert_eq!(found_by(across, &[&app, &other, &second]).len(), left, "{most}");
    }
}
