//! Pods with every field that the standard names, in every kind of container: absent, null, empty, allowed, forbidden.

use serde_json::{Map, Value, json};

use crate::accepted::leave_out_what_is_refused;
use crate::random::Random;
use crate::volumes::{allowed_volumes, forbidden_volumes};

/// How a pod comes before the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is created.
    Pod,
    /// It runs already, and gets its debug containers.
    Debug,
    /// A workload of this apiVersion, kind and resource makes it.
    Template(&'static str, &'static str, &'static str),
}

const TEMPLATES: [Way; 8] = [
    Way::Template("apps/v1", "Deployment", "deployments"),
    Way::Template("apps/v1", "StatefulSet", "statefulsets"),
    Way::Template("apps/v1", "DaemonSet", "daemonsets"),
    Way::Template("apps/v1", "ReplicaSet", "replicasets"),
    Way::Template("batch/v1", "Job", "jobs"),
    Way::Template("batch/v1", "CronJob", "cronjobs"),
    Way::Template("v1", "ReplicationController", "replicationcontrollers"),
    Way::Template("v1", "PodTemplate", "podtemplates"),
];

/// A pod, the same for a seed and number on every machine.
#[derive(Clone, Debug)]
pub struct Case {
    pub number: u64,
    pub way: Way,
    pub pod: Value,
}

/// The case of a number.
pub fn case(seed: u64, number: u64) -> Case {
    let mut random = Random::of_stream(seed, number);
    let pod = pod(&mut random, number);
    let debugged = pod["spec"]["ephemeralContainers"].as_array().is_some_and(|containers| !containers.is_empty());
    let way = match random.below(10) {
        0..=1 => random.one(&TEMPLATES),
        2..=5 if debugged => Way::Debug,
        _ => Way::Pod,
    };
    Case { number, way, pod }
}

fn pod(random: &mut Random, number: u64) -> Value {
    let base = random.one(&[Base::Compliant, Base::Compliant, Base::Bare]);
    // Most pods differ in little from one that is right, for there the verdicts turn.
    let noise = random.one(&[1, 2, 2, 4, 4, 10, 30, 75]);
    let mut pods = Pods { random, noise, base };
    let mut pod = pods.pod(number);
    if random.chance(80) {
        leave_out_what_is_refused(&mut pod);
    }
    pod
}

/// What a field is where nothing happens to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// As the restricted level wants it.
    Compliant,
    /// Absent.
    Bare,
}

struct Pods<'r> {
    random: &'r mut Random,
    /// The percentage of fields to which something happens.
    noise: usize,
    base: Base,
}

impl Pods<'_> {
    /// Sets a field: as a rule to `base`, else to one of `others` or null, or to nothing.
    fn field(&mut self, fields: &mut Map<String, Value>, key: &str, base: Option<Value>, others: &[Value]) {
        let value = if self.random.chance(self.noise) {
            match self.random.below(others.len() + 2) {
                0 => None,
                1 => Some(Value::Null),
                other => Some(others[other - 2].clone()),
            }
        } else {
            base.filter(|_| self.base == Base::Compliant)
        };
        if let Some(value) = value {
            fields.insert(key.to_owned(), value);
        }
    }

    /// Sets a field to an object or a list that `make` makes, or sometimes to null, something empty, or nothing.
    fn part(
        &mut self,
        fields: &mut Map<String, Value>,
        key: &str,
        empty: Value,
        make: impl FnOnce(&mut Self) -> Value,
    ) {
        let value = if self.random.chance(self.noise / 2) {
            match self.random.below(3) {
                0 => return,
                1 => Value::Null,
                _ => empty,
            }
        } else {
            make(self)
        };
        // What is empty is as a rule not written.
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty || self.random.once_in(3) {
            fields.insert(key.to_owned(), value);
        }
    }

    fn pod(&mut self, number: u64) -> Value {
        let mut spec = Map::new();
        let booleans = [json!(true), json!(false)];
        self.field(&mut spec, "os", None, &[json!({"name": "linux"}), json!({"name": "windows"})]);
        if self.random.once_in(8) {
            spec.insert("os".to_owned(), json!({"name": "windows"}));
        }
        self.field(&mut spec, "hostUsers", None, &booleans);
        if self.random.once_in(8) {
            spec.insert("hostUsers".to_owned(), json!(false));
        }
        for key in ["hostNetwork", "hostPID", "hostIPC"] {
            self.field(&mut spec, key, None, &booleans);
        }
        // Where the pod may speak for its containers, one of them has to.
        let speaks = self.random.one(&[Speaks::Pod, Speaks::Pod, Speaks::Containers, Speaks::Both]);
        self.part(&mut spec, "securityContext", json!({}), |pods| pods.pod_security_context(speaks));
        self.part(&mut spec, "volumes", json!([]), Self::volumes);
        let mut names = Vec::new();
        for (list, least, name) in
            [("containers", 1, "app"), ("initContainers", 0, "init"), ("ephemeralContainers", 0, "debug")]
        {
            let count = least + self.random.one(&[0, 0, 1, 2]);
            let mut containers = Vec::new();
            for index in 0..count {
                let name = format!("{name}-{index}");
                containers.push(self.container(&name, list, speaks));
                names.push(name);
            }
            if !containers.is_empty() {
                spec.insert(list.to_owned(), containers.into());
            } else if self.random.chance(self.noise) {
                spec.insert(list.to_owned(), self.random.one(&[Value::Null, json!([])]));
            }
        }
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), format!("pod-{number}").into());
        metadata.insert("namespace".to_owned(), "media".into());
        self.part(&mut metadata, "annotations", json!({}), |pods| pods.annotations(&names));
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }

    /// The annotations by which AppArmor and seccomp were set once.
    fn annotations(&mut self, names: &[String]) -> Value {
        let mut annotations = Map::new();
        let values = [
            "runtime/default",
            "docker/default",
            "localhost/",
            "localhost/web",
            "unconfined",
            "",
            "localhost",
            "Unconfined",
            "RuntimeDefault",
            "runtime/default ",
        ]
        .map(Value::from);
        let mut keys = vec![
            "seccomp.security.alpha.kubernetes.io/pod".to_owned(),
            "container.apparmor.security.beta.kubernetes.io/".to_owned(),
            "container.apparmor.security.beta.kubernetes.io".to_owned(),
            "container.apparmor.security.beta.kubernetes.io/nobody".to_owned(),
            "apparmor.security.beta.kubernetes.io/pod".to_owned(),
            "example.com/note".to_owned(),
        ];
        for name in names {
            keys.push(format!("container.apparmor.security.beta.kubernetes.io/{name}"));
            keys.push(format!("container.seccomp.security.alpha.kubernetes.io/{name}"));
        }
        for key in keys {
            self.field(&mut annotations, &key, None, &values);
        }
        annotations.into()
    }

    fn pod_security_context(&mut self, speaks: Speaks) -> Value {
        let mut context = Map::new();
        self.shared_security_context(&mut context, speaks != Speaks::Containers);
        let sysctls = [json!([]), self.sysctls(), self.sysctls(), self.sysctls()];
        self.field(&mut context, "sysctls", None, &sysctls);
        self.field(&mut context, "fsGroup", None, &[json!(0), json!(1000)]);
        self.field(&mut context, "supplementalGroups", None, &[json!([0]), json!([])]);
        context.into()
    }

    fn sysctls(&mut self) -> Value {
        let names = [
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.ping_group_range",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.ip_local_reserved_ports",
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
            "net.ipv4.tcp_rmem",
            "net.ipv4.tcp_wmem",
            "net.ipv4.tcp_slow_start_after_idle",
            "net.ipv4.tcp_notsent_lowat",
        ];
        let others =
            ["kernel.msgmax", "net.ipv4.ip_forward", "net/ipv4/tcp_rmem", "NET.IPV4.TCP_RMEM", "net.ipv4.tcp_rmem.x"];
        let count = 1 + self.random.below(4);
        let sysctl = |pods: &mut Self| {
            let name = if pods.random.once_in(5) { pods.random.one(&others) } else { pods.random.one(&names) };
            json!({"name": name, "value": "1"})
        };
        (0..count).map(|_| sysctl(self)).collect::<Vec<_>>().into()
    }

    /// What pods and containers have in common. `speaks` is whether it has to say what the restricted level asks for.
    fn shared_security_context(&mut self, context: &mut Map<String, Value>, speaks: bool) {
        let said = |value: Value| Some(value).filter(|_| speaks);
        self.field(context, "runAsNonRoot", said(json!(true)), &[json!(true), json!(false)]);
        self.field(context, "runAsUser", None, &[json!(0), json!(0), json!(1), json!(1000), json!(65534)]);
        self.field(context, "runAsGroup", None, &[json!(0), json!(1000)]);
        let profiles = [
            json!({"type": "RuntimeDefault"}),
            json!({"type": "Localhost", "localhostProfile": "web.json"}),
            json!({"type": "Unconfined"}),
            json!({"type": "Unconfined", "localhostProfile": null}),
        ];
        self.field(context, "seccompProfile", said(json!({"type": "RuntimeDefault"})), &profiles);
        self.field(context, "appArmorProfile", None, &profiles);
        let mut options = Map::new();
        self.selinux(&mut options);
        self.field(context, "seLinuxOptions", None, &[json!({}), options.into()]);
        let windows = [
            json!({}),
            json!({"hostProcess": true}),
            json!({"hostProcess": false}),
            json!({"hostProcess": null, "runAsUserName": "ContainerUser"}),
        ];
        self.field(context, "windowsOptions", None, &windows);
    }

    fn selinux(&mut self, options: &mut Map<String, Value>) {
        let types = [
            "",
            "container_t",
            "container_init_t",
            "container_kvm_t",
            "container_engine_t",
            "spc_t",
            "Container_t",
            "container_t ",
        ];
        let fields: [(&str, &[&str]); 4] =
            [("type", &types), ("user", &["", "system_u"]), ("role", &["", "system_r"]), ("level", &["", "s0:c1,c2"])];
        for (key, values) in fields {
            if self.random.chance(45) {
                let value = if self.random.once_in(8) { Value::Null } else { self.random.one(values).into() };
                options.insert(key.to_owned(), value);
            }
        }
    }

    fn container(&mut self, name: &str, list: &str, speaks: Speaks) -> Value {
        let mut container = Map::new();
        container.insert("name".to_owned(), name.into());
        container.insert("image".to_owned(), "ghcr.io/acme/web:1.4.2".into());
        self.part(&mut container, "securityContext", json!({}), |pods| pods.container_security_context(speaks));
        // Debug containers have none of these, other init containers than sidecars no probes.
        let is_long_running = list == "containers" || list == "initContainers" && self.random.once_in(2);
        if list == "initContainers" && is_long_running {
            container.insert("restartPolicy".to_owned(), "Always".into());
        }
        if list != "ephemeralContainers" || self.random.once_in(20) {
            let ports = [json!([]), self.ports(), self.ports()];
            self.field(&mut container, "ports", None, &ports);
        }
        if is_long_running || self.random.once_in(20) {
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                let handlers = [self.handler(true), self.handler(true)];
                self.field(&mut container, probe, None, &handlers);
            }
            let mut lifecycle = Map::new();
            for hook in ["postStart", "preStop"] {
                let handlers = [self.handler(false), self.handler(false)];
                self.field(&mut lifecycle, hook, None, &handlers);
            }
            if !lifecycle.is_empty() || self.random.chance(self.noise / 2) {
                container.insert("lifecycle".to_owned(), lifecycle.into());
            }
        }
        container.into()
    }

    fn ports(&mut self) -> Value {
        let mut ports = Vec::new();
        for number in 0..=self.random.below(3) {
            let mut port = Map::new();
            port.insert("containerPort".to_owned(), (8000 + number).into());
            let host = [json!(null), json!(0), json!(0), json!(80 + number), json!(8000 + number)];
            if self.random.chance(70) {
                port.insert("hostPort".to_owned(), self.random.one(&host));
            }
            if self.random.once_in(4) {
                port.insert("hostIP".to_owned(), "127.0.0.1".into());
            }
            ports.push(port.into());
        }
        Value::Array(ports)
    }

    /// What a probe or a lifecycle hook does.
    fn handler(&mut self, is_probe: bool) -> Value {
        let mut action = Map::new();
        action.insert("port".to_owned(), self.random.one(&[json!(80), json!("http")]));
        let hosts = [json!(null), json!(""), json!(""), json!("127.0.0.1"), json!("example.com"), json!(" ")];
        if self.random.chance(60) {
            action.insert("host".to_owned(), self.random.one(&hosts));
        }
        match self.random.below(6) {
            0..=1 => json!({"httpGet": action}),
            2..=3 => json!({"tcpSocket": action}),
            4 if is_probe => json!({"grpc": {"port": 80}, "httpGet": null}),
            4 => json!({"sleep": {"seconds": 1}}),
            _ => json!({"exec": {"command": ["true"]}, "tcpSocket": null}),
        }
    }

    fn container_security_context(&mut self, speaks: Speaks) -> Value {
        let mut context = Map::new();
        let booleans = [json!(true), json!(false)];
        self.shared_security_context(&mut context, speaks != Speaks::Pod);
        self.field(&mut context, "privileged", None, &booleans);
        self.field(&mut context, "allowPrivilegeEscalation", Some(json!(false)), &booleans);
        self.field(&mut context, "readOnlyRootFilesystem", None, &booleans);
        self.field(&mut context, "procMount", None, &[json!("Default"), json!("Unmasked")]);
        if self.base == Base::Compliant || self.random.chance(self.noise) {
            self.part(&mut context, "capabilities", json!({}), Self::capabilities);
        }
        context.into()
    }

    fn capabilities(&mut self) -> Value {
        let mut capabilities = Map::new();
        let add = [json!([]), json!(["NET_BIND_SERVICE"]), self.names(), self.names(), self.names()];
        self.field(&mut capabilities, "add", None, &add);
        let drop = [
            json!([]),
            json!(["ALL", "NET_RAW"]),
            json!(["NET_RAW", "ALL"]),
            json!(["all"]),
            json!(["CAP_ALL"]),
            self.names(),
        ];
        self.field(&mut capabilities, "drop", Some(json!(["ALL"])), &drop);
        capabilities.into()
    }

    fn names(&mut self) -> Value {
        let names = [
            "AUDIT_WRITE",
            "CHOWN",
            "DAC_OVERRIDE",
            "FOWNER",
            "FSETID",
            "KILL",
            "MKNOD",
            "NET_BIND_SERVICE",
            "SETFCAP",
            "SETGID",
            "SETPCAP",
            "SETUID",
            "SYS_CHROOT",
        ];
        let others = ["NET_RAW", "NET_ADMIN", "SYS_ADMIN", "ALL", "CAP_CHOWN", "chown", "", "CHOWN "];
        let count = 1 + self.random.below(3);
        let rare = self.random.one(&[2, 10]);
        let name = |pods: &mut Self| {
            if pods.random.once_in(rare) { pods.random.one(&others) } else { pods.random.one(&names) }
        };
        (0..count).map(|_| name(self).into()).collect::<Vec<Value>>().into()
    }

    fn volumes(&mut self) -> Value {
        let allowed = allowed_volumes();
        let others = forbidden_volumes();
        let mut volumes = Vec::new();
        for number in 0..self.random.one(&[0, 1, 2, 3]) {
            let wild = self.random.chance(self.noise.max(3));
            let (kind, source) = if wild { self.random.one(&others) } else { self.random.one(&allowed) };
            let mut volume = Map::new();
            volume.insert("name".to_owned(), format!("volume-{number}").into());
            match self.random.below(40) {
                // Says nothing, which means an empty directory.
                0 => {}
                1 => drop(volume.insert(kind.to_owned(), Value::Null)),
                2 => {
                    volume.insert("hostPath".to_owned(), Value::Null);
                    volume.insert(kind.to_owned(), source);
                }
                3 => {
                    let (second, other) = self.random.one(&allowed);
                    volume.insert(kind.to_owned(), source);
                    volume.insert(second.to_owned(), other);
                }
                _ => drop(volume.insert(kind.to_owned(), source)),
            }
            volumes.push(volume.into());
        }
        Value::Array(volumes)
    }
}

/// Who says that containers don't run as root, and under which seccomp profile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Pod,
    Containers,
    Both,
}
