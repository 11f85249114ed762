//! Mutating policies: JSON patches, apply configurations, order, reinvocation.

use serde_json::{Value, json};

use super::super::api::{config_map, deployment, object, overlaid, pod, service, widget};
use super::super::suite::{Suite, apply, json_patch, matching, must};

/// The match condition of policies that wait for another policy's label.
pub const WAITS: &str = "labelled";

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = json_patches();
    suites.extend(applied());
    suites.extend(errors());
    suites.extend(several());
    suites.extend(seen_later());
    suites
}

/// A policy with these mutations of what is created and updated.
pub fn mutating(topic: &'static str, what: &str, mutations: &[Value]) -> Suite {
    Suite::mutating(topic, json!({"matchConstraints": matching(what, &["CREATE", "UPDATE"]), "mutations": mutations}))
}

/// ConfigMaps and widgets of several shapes.
fn asked(suite: Suite) -> Suite {
    let full = json!({"metadata": {"labels": {"a": "b", "x/y": "z"}, "annotations": {"t.l": "1"}}, "data": {"k": "v", "l": "w"}});
    suite
        .create_all([config_map("bare", json!({})), config_map("full", full.clone())])
        .create_all([widget(
            "full",
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 3, "name": "n",
            "tags": ["p", "q", "r"], "set": ["s"], "parts": [{"name": "one", "size": 1}, {"name": "two"}],
            "labels": {"k": "v"}, "sealed": {"a": "1"}, "free": {"any": [1, {"deep": true}]}}}),
        )])
        .update(
            config_map("changed", full.clone()),
            config_map("changed", overlaid(full, json!({"data": {"k": "changed"}}))),
        )
        .delete(config_map("deleted", json!({})))
}

fn json_patches() -> Vec<Suite> {
    let patches = [
        "[]",
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'new': 'label'}}]",
        "[JSONPatch{op: 'add', path: '/metadata/labels/new', value: 'label'}]",
        "[JSONPatch{op: 'replace', path: '/metadata/labels/a', value: 'c'}]",
        "[JSONPatch{op: 'remove', path: '/metadata/labels/a'}]",
        "[JSONPatch{op: 'remove', path: '/metadata/labels'}]",
        "[JSONPatch{op: 'remove', path: '/metadata/labels/none'}]",
        "[JSONPatch{op: 'replace', path: '/metadata/labels/none', value: 'x'}]",
        "[JSONPatch{op: 'add', path: '/metadata/labels/x~1y', value: 'escaped'}]",
        "[JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('t/x'), value: '3'}]",
        "[JSONPatch{op: 'move', from: '/metadata/labels/a', path: '/metadata/labels/moved'}]",
        "[JSONPatch{op: 'copy', from: '/metadata/labels/a', path: '/metadata/labels/copied'}]",
        "[JSONPatch{op: 'copy', from: '/metadata/labels', path: '/metadata/annotations'}]",
        "[JSONPatch{op: 'move', from: '/metadata/none', path: '/metadata/labels'}]",
        "[JSONPatch{op: 'move', path: '/metadata/labels/moved'}]",
        "[JSONPatch{op: 'test', path: '/metadata/labels/a', value: 'b'}, JSONPatch{op: 'add', path: '/metadata/labels/tested', value: 'yes'}]",
        "[JSONPatch{op: 'test', path: '/metadata/labels/a', value: 'other'}, JSONPatch{op: 'add', path: '/metadata/labels/tested', value: 'yes'}]",
        "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'first': 'x'}}, JSONPatch{op: 'test', path: '/metadata/labels/a', value: 'b'}]",
        "[JSONPatch{op: 'test', path: '/metadata/labels', value: null}, JSONPatch{op: 'add', path: '/metadata/labels', value: {'was': 'null'}}]",
        "[JSONPatch{op: 'test', path: '/data/none'}, JSONPatch{op: 'add', path: '/metadata/annotations', value: {'was': 'absent'}}]",
        "[JSONPatch{op: 'add', path: '/data/k', value: 'x'}]",
        "[JSONPatch{op: 'add', path: '/data', value: {'k': 'x'}}, JSONPatch{op: 'add', path: '/data/m', value: 'y'}]",
        "[JSONPatch{op: 'add', path: '/data', value: Object.data{k: 'x'}}]",
        "[JSONPatch{op: 'add', path: '/metadata', value: Object.metadata{labels: Object.metadata.labels{a: 'typed'}, name: object.metadata.name, namespace: object.metadata.namespace}}]",
        "[JSONPatch{op: 'add', path: '', value: {'a': 'b'}}]",
        "[JSONPatch{op: 'replace', path: '', value: object}]",
        "[JSONPatch{op: 'nope', path: '/metadata/labels', value: 'x'}]",
        "[JSONPatch{op: 'add', value: 'x'}]",
        "[JSONPatch{path: '/metadata/labels', value: {'x': 'y'}}]",
        "[JSONPatch{op: 'add', path: 'metadata/labels', value: {'x': 'y'}}]",
        "[JSONPatch{op: 'add', path: '/metadata/labels/a/b', value: 'x'}]",
        "[JSONPatch{op: 'add', path: '/none/there', value: 'x'}]",
        "[JSONPatch{op: 'remove', path: '/metadata/name'}]",
        "[JSONPatch{op: 'replace', path: '/metadata/name', value: 'renamed'}]",
        "[JSONPatch{op: 'replace', path: '/metadata/namespace', value: 'elsewhere'}]",
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'number': 1}}]",
        "[JSONPatch{op: 'add', path: '/data', value: [1, 2]}]",
        "[JSONPatch{op: 'add', path: '/metadata/finalizers', value: ['x.example.com/f']}]",
        "[JSONPatch{op: 'add', path: '/unknown', value: 'x'}]",
        "[JSONPatch{op: 'add', path: '/metadata/unknown', value: 'x'}]",
        "[JSONPatch{op: 'add', path: '/kind', value: 'Secret'}]",
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: null}]",
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: {}}]",
        "has(object.metadata.labels) ? [JSONPatch{op: 'remove', path: '/metadata/labels'}] : []",
        "request.operation == 'CREATE' ? [JSONPatch{op: 'add', path: '/metadata/annotations', value: {'by': request.userInfo.username}}] : []",
        "oldObject == null ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {'was': oldObject.data.k}}]",
        "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'ns': namespaceObject.metadata.name}}]",
    ];
    let mut suites: Vec<Suite> =
        patches.iter().map(|patch| asked(mutating("mutations: JSON patch", "*/*/*", &[json_patch(patch)]))).collect();
    let custom = [
        "[JSONPatch{op: 'add', path: '/spec/tags/-', value: 'end'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/0', value: 'start'}]",
        "[JSONPatch{op: 'add', path: '/spec/free/t~0l', value: '2'}]",
        "[JSONPatch{op: 'add', path: '/spec/free/t~01', value: '2'}]",
        "[JSONPatch{op: 'add', path: '/spec/free/' + jsonpatch.escapeKey('t~l/x'), value: '3'}]",
        "[JSONPatch{op: 'add', path: '/spec/free/t~2', value: '2'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/1', value: 'middle'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/3', value: 'last'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/4', value: 'beyond'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/-1', value: 'negative'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/01', value: 'zero'}]",
        "[JSONPatch{op: 'add', path: '/spec/tags/x', value: 'word'}]",
        "[JSONPatch{op: 'remove', path: '/spec/tags/0'}, JSONPatch{op: 'remove', path: '/spec/tags/0'}]",
        "[JSONPatch{op: 'remove', path: '/spec/tags/-1'}]",
        "[JSONPatch{op: 'remove', path: '/spec/tags/7'}]",
        "[JSONPatch{op: 'replace', path: '/spec/tags/2', value: 'third'}]",
        "[JSONPatch{op: 'replace', path: '/spec/tags/-', value: 'dash'}]",
        "[JSONPatch{op: 'replace', path: '/spec/tags/3', value: 'beyond'}]",
        "[JSONPatch{op: 'copy', from: '/spec/tags/0', path: '/spec/tags/-'}]",
        "[JSONPatch{op: 'move', from: '/spec/tags/0', path: '/spec/tags/2'}]",
        "[JSONPatch{op: 'move', from: '/spec/parts/0', path: '/spec/parts/1'}]",
        "[JSONPatch{op: 'move', from: '/spec', path: '/spec/free'}]",
        "[JSONPatch{op: 'copy', from: '/spec/sealed', path: '/spec/free'}]",
        "[JSONPatch{op: 'test', path: '/spec/tags', value: ['p', 'q', 'r']}, JSONPatch{op: 'add', path: '/spec/on', value: true}]",
        "[JSONPatch{op: 'test', path: '/spec/tags', value: ['p', 'q']}, JSONPatch{op: 'add', path: '/spec/on', value: true}]",
        "[JSONPatch{op: 'test', path: '/spec/size', value: 3}, JSONPatch{op: 'add', path: '/spec/on', value: true}]",
        "[JSONPatch{op: 'test', path: '/spec/size', value: 3.0}, JSONPatch{op: 'add', path: '/spec/on', value: true}]",
        "[JSONPatch{op: 'test', path: '/spec/size', value: '3'}, JSONPatch{op: 'add', path: '/spec/on', value: true}]",
        "[JSONPatch{op: 'test', path: '/spec/free/any/1/deep', value: true}, JSONPatch{op: 'add', path: '/spec/on', value: true}]",
        "[JSONPatch{op: 'add', path: '/spec/size', value: 'wrong type'}]",
        "[JSONPatch{op: 'add', path: '/spec/size', value: 1.5}]",
        "[JSONPatch{op: 'add', path: '/spec/size', value: 9007199254740993}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'f': 1.5}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'i': 1, 'j': 2}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'t': timestamp('2024-01-02T03:04:05Z')}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'t': timestamp('2024-01-02T03:04:05.25+01:30')}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'d': duration('90m')}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'d': duration('5467437777444762813ns')}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'b': b'hi'}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {1: 'int key'}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: {'list': [{'a': 'b'}], 'other': [{'c': 'd'}]}}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: type(1)}]",
        "[JSONPatch{op: 'add', path: '/spec/free', value: object.spec.free}]",
        "[JSONPatch{op: 'add', path: '/spec/nope', value: 'pruned'}]",
        "[JSONPatch{op: 'add', path: '/spec/name', value: null}]",
        "[JSONPatch{op: 'remove', path: '/spec/color'}]",
        "[JSONPatch{op: 'remove', path: '/spec'}]",
        "[JSONPatch{op: 'add', path: '/spec/port', value: 80}]",
        "[JSONPatch{op: 'add', path: '/spec/port', value: 'http'}]",
        "[JSONPatch{op: 'add', path: '/spec/parts/-', value: Object.spec.parts{name: 'three'}}]",
        "[JSONPatch{op: 'add', path: '/spec/parts/-', value: Object.spec.wrong{name: 'three'}}]",
        "object.spec.parts.map(p, JSONPatch{op: 'add', path: '/spec/labels/' + p.name, value: 'part'})",
    ];
    suites.extend(custom.iter().map(|patch| {
        let suite = mutating("mutations: JSON patch", "*/*/widgets", &[json_patch(patch)]);
        let full = json!({"spec": {"size": 3, "tags": ["p", "q", "r"], "parts": [{"name": "one", "size": 1}, {"name": "two"}],
            "labels": {"k": "v"}, "sealed": {"a": "1"}, "free": {"any": [1, {"deep": true}]}, "color": "red"}});
        suite.create_all([widget("full", full), widget("bare", json!({}))])
    }));
    let pods = [
        "[JSONPatch{op: 'add', path: '/spec/containers/0/env', value: [Object.spec.containers.env{name: 'A', value: 'b'}]}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/-', value: Object.spec.containers{name: 'side', image: 'busybox'}}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/0/securityContext', value: {'runAsNonRoot': true, 'privileged': false}}]",
        "[JSONPatch{op: 'add', path: '/spec/hostNetwork', value: true}]",
        "[JSONPatch{op: 'add', path: '/spec/hostNetwork', value: 'yes'}]",
        "[JSONPatch{op: 'add', path: '/spec/priority', value: 'high'}]",
        "[JSONPatch{op: 'add', path: '/spec/terminationGracePeriodSeconds', value: 5}]",
        "[JSONPatch{op: 'replace', path: '/spec/terminationGracePeriodSeconds', value: 1.5}]",
        "[JSONPatch{op: 'add', path: '/spec/nodeSelector', value: {'disk': 'ssd'}}]",
        "[JSONPatch{op: 'remove', path: '/spec/tolerations'}]",
        "[JSONPatch{op: 'add', path: '/spec/tolerations/-', value: {'key': 'a', 'operator': 'Exists'}}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/0/resources', value: {'limits': {'memory': '64Mi', 'cpu': '100m'}}}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/0/resources', value: {'limits': {'memory': 'lots'}}}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/0/unknown', value: 1}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/0/image', value: object.spec.containers[0].image + '-patched'}]",
        "[JSONPatch{op: 'add', path: '/spec/containers/0/ports', value: [{'containerPort': 80}]}]",
        "[JSONPatch{op: 'add', path: '/spec/volumes', value: [{'name': 'v', 'emptyDir': {}}]}]",
        "[JSONPatch{op: 'remove', path: '/spec/containers/0'}]",
        "[JSONPatch{op: 'add', path: '/spec/serviceAccountName', value: 'robot'}]",
        "[JSONPatch{op: 'add', path: '/spec/activeDeadlineSeconds', value: null}]",
        "[JSONPatch{op: 'add', path: '/spec', value: null}]",
    ];
    suites.extend(pods.iter().map(|patch| {
        let env = json!({"spec": {"containers": [{"name": "main", "image": "busybox", "env": [{"name": "E", "value": "1"}]}],
            "securityContext": {"runAsUser": 7}}});
        let suite = mutating("mutations: JSON patch", "/v1/pods", &[json_patch(patch)]);
        suite.create_all([pod("plain", json!({})), pod("env", env)])
    }));
    suites
}

fn applied() -> Vec<Suite> {
    let common = [
        "Object{}",
        "Object{metadata: Object.metadata{labels: {'new': 'label'}}}",
        "Object{metadata: Object.metadata{labels: Object.metadata.labels{fresh: 'label'}}}",
        "Object{metadata: Object.metadata{labels: {'a': 'c'}}}",
        "Object{metadata: Object.metadata{annotations: {'x/y': 'z', 'w': request.operation}}}",
        "Object{metadata: Object.metadata{finalizers: ['a.example.com/f']}}",
        "Object{metadata: Object.metadata{name: 'renamed'}}",
        "Object{metadata: Object.metadata{uid: 'x'}}",
        "Object{metadata: Object.metadata{nope: 'x'}}",
        "Object{nope: 'x'}",
        "Object{kind: 'Other'}",
        "Object{apiVersion: 'v9'}",
        "Object{metadata: Object.metadata{labels: {'a': null}}}",
        "Object{metadata: Object.metadata{labels: null}}",
        "Object{metadata: Object.metadata{labels: {'a': 1}}}",
        "Object{metadata: Object.metadata{labels: ['a']}}",
        "Object{metadata: 'x'}",
        "Object{metadata: Object.metadata{?labels: optional.none()}}",
        "Object{metadata: Object.metadata{?labels: optional.of({'o': 'p'})}}",
        "Object{?metadata: has(object.metadata.labels) ? optional.none() : optional.of(Object.metadata{labels: {'was': 'bare'}})}",
        "Object{metadata: Object.wrong{labels: {'a': 'b'}}}",
        "Object{metadata: Object.metadata{labels: Object.metadata.wrong{a: 'b'}}}",
        "Object{metadata: Object.metadata{labels: object.metadata.labels}}",
        "Object{metadata: Object.metadata{annotations: {'ns': namespaceObject.metadata.name, 'old': string(oldObject == null)}}}",
        "Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{apiVersion: 'v1', kind: 'X', name: 'n', uid: 'u'}]}}",
    ];
    let mut suites: Vec<Suite> =
        common.iter().map(|text| asked(mutating("mutations: apply", "*/*/*", &[apply(text)]))).collect();
    let maps = [
        "Object{data: {'k': 'x', 'm': 'y'}}",
        "Object{data: Object.data{k: 'x'}}",
        "Object{data: {'k': 1}}",
        "Object{data: null}",
        "Object{immutable: true}",
        "Object{immutable: 'yes'}",
        "Object{binaryData: {'b': b'hi'}}",
        "Object{data: {'t': string(timestamp('2024-01-02T03:04:05Z'))}}",
    ];
    suites.extend(maps.iter().map(|text| {
        let suite = mutating("mutations: apply", "/v1/configmaps", &[apply(text)]);
        suite.create_all([config_map("bare", json!({})), config_map("full", json!({"data": {"k": "v", "l": "w"}}))])
    }));
    let pods = [
        "Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, image: c.image + '-x'})}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'side', image: 'busybox'}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', env: [Object.spec.containers.env{name: 'A', value: 'b'}]}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', env: [Object.spec.containers.env{name: 'E', value: '2'}, Object.spec.containers.env{name: 'F'}]}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', args: ['x']}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', ports: [Object.spec.containers.ports{containerPort: 80}]}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', ports: [Object.spec.containers.ports{containerPort: 80, protocol: 'UDP', name: 'u'}]}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', ports: [Object.spec.containers.ports{name: 'no-key'}]}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{image: 'nameless'}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main'}, Object.spec.containers{name: 'main'}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', resources: Object.spec.containers.resources{limits: {'memory': '64Mi'}}}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', securityContext: Object.spec.containers.securityContext{runAsNonRoot: true, capabilities: Object.spec.containers.securityContext.capabilities{drop: ['ALL']}}}]}}",
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', securityContext: Object.spec.containers.securityContext{runAsNonRoot: true}}]}}",
        "Object{spec: Object.spec{securityContext: Object.spec.securityContext{runAsUser: 1000, fsGroup: 5}}}",
        "Object{spec: Object.spec{securityContext: Object.spec.securityContext{supplementalGroups: [1]}}}",
        "Object{spec: Object.spec{nodeSelector: {'disk': 'ssd'}}}",
        "Object{spec: Object.spec{tolerations: [Object.spec.tolerations{key: 'a', operator: 'Exists'}]}}",
        "Object{spec: Object.spec{volumes: [Object.spec.volumes{name: 'v', emptyDir: Object.spec.volumes.emptyDir{}}]}}",
        "Object{spec: Object.spec{volumes: [Object.spec.volumes{name: 'data', configMap: Object.spec.volumes.configMap{name: 'c'}}]}}",
        "Object{spec: Object.spec{hostNetwork: true, terminationGracePeriodSeconds: 5}}",
        "Object{spec: Object.spec{hostNetwork: 'yes'}}",
        "Object{spec: Object.spec{terminationGracePeriodSeconds: '5'}}",
        "Object{spec: Object.spec{terminationGracePeriodSeconds: 1.5}}",
        "Object{spec: Object.spec{terminationGracePeriodSeconds: 2.0}}",
        "Object{spec: Object.spec{priority: 1.5}}",
        "Object{spec: Object.spec{securityContext: Object.spec.securityContext{runAsUser: 0.5}}}",
        "Object{spec: Object.spec{imagePullSecrets: [Object.spec.imagePullSecrets{name: 'pull'}]}}",
        "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'init', image: 'busybox', restartPolicy: 'Always'}]}}",
        "Object{spec: Object.spec{hostAliases: [Object.spec.hostAliases{ip: '127.0.0.1', hostnames: ['a']}]}}",
        "Object{spec: Object.spec{topologySpreadConstraints: [Object.spec.topologySpreadConstraints{topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule'}]}}",
        "Object{spec: Object.spec{affinity: Object.spec.affinity{nodeAffinity: Object.spec.affinity.nodeAffinity{}}}}",
        "Object{spec: Object.spec{overhead: {'cpu': '1'}}}",
        "Object{spec: Object.spec{schedulerName: null}}",
        "Object{spec: null}",
        "Object{spec: Object.spec{containers: []}}",
        "Object{spec: Object.spec{containers: {}}}",
        "Object{spec: Object.spec{containers: null}}",
        "Object{status: Object.status{phase: 'Running'}}",
    ];
    suites.extend(pods.iter().map(|text| {
        let full = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"os": "linux"},
            "securityContext": {"runAsUser": 7}, "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [{"name": "main", "image": "busybox", "env": [{"name": "E", "value": "1"}, {"name": "G", "value": "3"}],
                "ports": [{"containerPort": 80}], "securityContext": {"privileged": false}},
                {"name": "second", "image": "busybox"}]}});
        let suite = mutating("mutations: apply", "/v1/pods", &[apply(text)]);
        suite.create_all([pod("plain", json!({})), pod("full", full)])
    }));
    let others = [
        "Object{spec: Object.spec{replicas: 5}}",
        "Object{spec: Object.spec{replicas: 1.5}}",
        "Object{spec: Object.spec{ports: [Object.spec.ports{port: 80, name: 'http'}]}}",
        "Object{spec: Object.spec{ports: [Object.spec.ports{port: 81, name: 'other', protocol: 'TCP'}]}}",
        "Object{spec: Object.spec{selector: {'app': 'other'}}}",
        "Object{spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{annotations: {'a': 'b'}}}}}",
        "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'main', imagePullPolicy: 'Always'}]}}}}",
        "Object{spec: Object.spec{strategy: Object.spec.strategy{type: 'Recreate'}}}",
        "Object{spec: Object.spec{rules: [Object.spec.rules{host: 'other.example.com'}]}}",
        "Object{spec: Object.spec{tls: [Object.spec.tls{secretName: 's'}]}}",
        "Object{spec: Object.spec{ingressClassName: 'nginx'}}",
        "Object{spec: Object.spec{policyTypes: ['Egress']}}",
        "Object{imagePullSecrets: [Object.imagePullSecrets{name: 'p'}]}",
        "Object{secrets: [Object.secrets{name: 's'}]}",
        "Object{stringData: {'k': 'v'}}",
        "Object{type: 'example.com/x'}",
    ];
    let ingress = object(
        "networking.k8s.io/v1",
        "Ingress",
        "a",
        json!({"spec": {"rules": [{"host": "a.example.com"}],
        "defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}),
    );
    let network = object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "a",
        json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
    );
    suites.extend(others.iter().map(|text| {
        mutating("mutations: apply", "*/*/*", &[apply(text)]).create_all([
            deployment("a", json!({})),
            service("a", json!({})),
            ingress.clone(),
            network.clone(),
            object("v1", "ServiceAccount", "a", json!({})),
            object("v1", "Secret", "a", json!({"stringData": {"x": "y"}})),
        ])
    }));
    suites
}

/// Errors at every place, under either failure policy.
fn errors() -> Vec<Suite> {
    let mut suites = Vec::new();
    let patch = "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'added': 'yes'}}]";
    let costly = "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'added': string([1,2,3,4,5,6,7,8,9,10].all(a,         [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d,         [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a + b + c + d + e + f > 0))))))))}}]";
    for failure_policy in ["Fail", "Ignore"] {
        let constraints = matching("/v1/configmaps", &["CREATE", "UPDATE"]);
        let spec =
            |rest: Value| overlaid(json!({"failurePolicy": failure_policy, "matchConstraints": constraints}), rest);
        let condition = |expression: &str| json!([{"name": "c", "expression": expression}]);
        for spec in [
            spec(json!({"mutations": [json_patch("object.spec.nope == 1 ? [] : []")]})),
            spec(
                json!({"mutations": [apply("Object{metadata: Object.metadata{labels: {'a': string(object.spec.nope)}}}")]}),
            ),
            spec(json!({"mutations": [json_patch("object.spec.nope == 1 ? [] : []"), json_patch(patch)]})),
            spec(json!({"mutations": [json_patch(patch), json_patch("object.spec.nope == 1 ? [] : []")]})),
            spec(json!({"mutations": [json_patch("[JSONPatch{op: 'remove', path: '/nope'}]"), json_patch(patch)]})),
            spec(
                json!({"mutations": [json_patch("[JSONPatch{op: 'test', path: '/kind', value: 'x'}]"), json_patch(patch)]}),
            ),
            spec(json!({"mutations": [apply("Object{nope: 1}"), json_patch(patch)]})),
            spec(
                json!({"mutations": [json_patch("[JSONPatch{op: 'add', path: '/data', value: 1}]"), json_patch(patch)]}),
            ),
            spec(json!({"mutations": [json_patch(costly), json_patch(patch)]})),
            spec(json!({"matchConditions": condition("object.spec.nope == 1"), "mutations": [json_patch(patch)]})),
            spec(json!({"matchConditions": condition("false"), "mutations": [json_patch(patch)]})),
            spec(json!({"matchConditions": condition("has(object.data)"), "mutations": [json_patch(patch)]})),
            spec(json!({"variables": [{"name": "v", "expression": "object.spec.nope"}],
                "mutations": [apply("Object{metadata: Object.metadata{labels: {'v': string(variables.v)}}}"), json_patch(patch)]})),
            spec(json!({"variables": [{"name": "v", "expression": "object.metadata.name"}],
                "mutations": [apply("Object{metadata: Object.metadata{labels: {'v': variables.v}}}"), json_patch(patch)]})),
        ] {
            suites.push(asked(Suite::mutating("mutations: errors", spec)));
        }
    }
    suites
}

/// Several policies whose effects don't depend on their order, and reinvocation.
fn several() -> Vec<Suite> {
    let mut suites = Vec::new();
    let constraints = || matching("*/*/*", &["CREATE", "UPDATE"]);
    let label = |key: &str| apply(&format!("Object{{metadata: Object.metadata{{labels: {{'{key}': 'yes'}}}}}}"));
    for reinvocation in ["Never", "IfNeeded"] {
        let spec = |mutations: Value| json!({"matchConstraints": constraints(), "reinvocationPolicy": reinvocation, "mutations": mutations});
        let count = json_patch(
            "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'count':             string(int(object.metadata.?annotations['count'].orValue('0')) + 1)}}]",
        );
        let once = json_patch(
            "has(object.metadata.labels) && 'one' in object.metadata.labels ? [] :             [JSONPatch{op: 'add', path: '/metadata/labels', value: {'one': 'yes'}}]",
        );
        for list in [json!([label("one"), label("two")]), json!([count]), json!([once])] {
            suites.push(asked(Suite::mutating("mutations: several policies", spec(list))));
        }
        for (first, second) in [("one", "two"), ("same", "same")] {
            let suite = Suite::new("mutations: several policies")
                .policy("$S-a", spec(json!([label(first)])))
                .policy("$S-b", spec(json!([label(second)])))
                .bind("$S-a", json!({}))
                .bind("$S-b", json!({}));
            suites.push(asked(suite));
        }
        // Two bindings of one policy.
        let suite = Suite::mutating("mutations: several policies", spec(json!([label("one")]))).bind_as(
            "$S-2",
            "$S",
            json!({}),
        );
        suites.push(asked(suite));
        if reinvocation == "Never" {
            continue;
        }
        // One needs the other's label. In the order of their names or in the other, only a second run can tell.
        let asks = json_patch(
            "has(object.metadata.labels) && 'one' in object.metadata.labels ? \
             [JSONPatch{op: 'add', path: '/metadata/labels/two', value: 'yes'}] : []",
        );
        // A policy whose conditions are not met has no second run, so here the order shows.
        let waits = |mut spec: Value| {
            let condition = "has(object.metadata.labels) && 'one' in object.metadata.labels";
            spec["matchConditions"] = json!([{"name": WAITS, "expression": condition}]);
            spec
        };
        for needs in [spec(json!([asks])), waits(spec(json!([label("two")])))] {
            for (first, second) in [("$S-b", "$S-c"), ("$S-c", "$S-b")] {
                let suite = Suite::new("mutations: several policies")
                    .policy(first, spec(json!([label("one")])))
                    .policy(second, needs.clone())
                    .bind(first, json!({}))
                    .bind(second, json!({}));
                suites.push(asked(suite));
            }
        }
    }
    suites
}

/// What validating policies see of an object that was mutated.
fn seen_later() -> Vec<Suite> {
    let mutations = [
        json_patch("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'team': 'home'}}]"),
        json_patch("[JSONPatch{op: 'add', path: '/metadata/labels', value: {}}]"),
        apply("Object{metadata: Object.metadata{labels: {'team': 'work'}}}"),
        apply("Object{metadata: Object.metadata{annotations: {'team': 'home'}}}"),
    ];
    let mut suites = Vec::new();
    for mutation in &mutations {
        for (expression, message) in [
            (
                "has(object.metadata.labels) && 'team' in object.metadata.labels && object.metadata.labels.team == 'home'",
                "not of home",
            ),
            ("!has(object.metadata.annotations)", "annotated"),
            ("oldObject == null || has(object.metadata.labels)", "labels are gone"),
        ] {
            let constraints = matching("*/*/*", &["CREATE", "UPDATE"]);
            let suite = Suite::new("mutations: validated")
                .policy("$S-m", json!({"matchConstraints": constraints, "mutations": [mutation]}))
                .policy("$S-v", json!({"matchConstraints": constraints, "validations": [must(expression, message)]}))
                .bind("$S-m", json!({}))
                .bind("$S-v", json!({}));
            suites.push(asked(suite));
        }
        // The object selector looks at the mutated object, too.
        let constraints = matching("/v1/configmaps", &["CREATE", "UPDATE"]);
        let selected = overlaid(constraints.clone(), json!({"objectSelector": {"matchLabels": {"team": "home"}}}));
        let suite = Suite::new("mutations: validated")
            .policy("$S-m", json!({"matchConstraints": constraints, "mutations": [mutation]}))
            .policy("$S-v", json!({"matchConstraints": selected, "validations": [must("false", "selected")]}))
            .bind("$S-m", json!({}))
            .bind("$S-v", json!({}));
        suites.push(asked(suite));
    }
    suites
}
