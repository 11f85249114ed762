//! Checkouts by chance: kustomizations, components and objects that refer to each other without a circle.

use std::fmt::Write as _;

use crate::random::Random;

/// A checkout, and the directories that would be built.
#[derive(Debug)]
pub struct Checkout {
    /// Names and texts.
    pub files: Vec<(String, String)>,
    /// The kustomizations that no other one refers to.
    pub outermost: Vec<String>,
}

/// The objects that files are made of; `NAME` and `NAMESPACE` are filled in.
const OBJECTS: &[&str] = &[
    "{apiVersion: v1, kind: Pod, metadata: {name: NAMENAMESPACE}}",
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: NAMENAMESPACE}, data: {a: b}}",
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: NAMENAMESPACE}, spec: {template: {metadata: {namespace: inner}}}}",
    "{apiVersion: example.com/v1, kind: Thing, metadata: {name: NAMENAMESPACE}}",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: NAME}}",
    "{apiVersion: v1, kind: PersistentVolume, metadata: {name: NAME}}",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: NAMENAMESPACE}, subjects: [{kind: ServiceAccount, name: default, namespace: old}, {kind: ServiceAccount, name: other, namespace: old}, {kind: User, name: default}]}",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: NAME}, subjects: [{kind: ServiceAccount, name: default}]}",
    "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: NAMENAMESPACE}}, {apiVersion: v1, kind: Secret, metadata: {name: NAME-2}}]}",
];

/// Two would be one after a namespace is set.
const NAMESPACE: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: NAME, labels: {a: b}}}";

impl Checkout {
    /// The checkout of a number.
    pub fn new(number: u64) -> Self {
        let mut random = Random::of_stream(11, number);
        let count = 2 + random.below(6);
        let components: Vec<_> = (0..count).map(|_| random.chance(30)).collect();
        // Only to those before: no circle.
        let references: Vec<Vec<_>> = (0..count).map(|at| (0..at).filter(|_| random.chance(35)).collect()).collect();
        let mut checkout = Self { files: Vec::new(), outermost: Vec::new() };
        let mut referred = vec![false; count];
        for at in (0..count).rev() {
            // A component that nothing applies is in no build.
            if components[at] && !referred[at] {
                continue;
            }
            if !referred[at] {
                checkout.outermost.push(format!("d{at}"));
            }
            references[at].iter().for_each(|to| referred[*to] = true);
            checkout.directory(&mut random, at, &references[at], &components);
        }
        checkout
    }

    fn directory(&mut self, random: &mut Random, at: usize, references: &[usize], components: &[bool]) {
        let mut resources = Vec::new();
        for file in 0..1 + random.below(2) {
            let name = format!("o{at}-{file}");
            self.files.push((format!("d{at}/{name}.yaml"), objects(random, &name, at == 0 && file == 0)));
            resources
                .push(format!("{}{name}.yaml", random.one(&[String::new(), "./".to_owned(), format!("../d{at}/")])));
        }
        let path = |to: &usize| format!("../d{to}{}", if to.is_multiple_of(2) { "" } else { "/" });
        let (applied, taken): (Vec<_>, Vec<_>) = references.iter().partition(|to| components[**to]);
        let applied: Vec<_> = applied.iter().copied().map(path).collect();
        let taken: Vec<_> = taken.iter().copied().map(path).collect();
        let mut text = String::new();
        if components[at] {
            text += "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
        }
        if random.chance(50) {
            let _ = writeln!(text, "namespace: n{at}");
        }
        // The old field holds directories, which come behind the files.
        if random.chance(50) {
            resources.extend(taken);
        } else {
            let _ = writeln!(text, "bases: [{}]", taken.join(", "));
        }
        let _ = writeln!(text, "resources: [{}]\ncomponents: [{}]", resources.join(", "), applied.join(", "));
        let name = random.of(&["kustomization.yaml", "kustomization.yml", "Kustomization"]);
        self.files.push((format!("d{at}/{name}"), text));
    }
}

fn objects(random: &mut Random, name: &str, with_namespace: bool) -> String {
    let mut objects = Vec::new();
    for object in 0..1 + random.below(3) {
        let namespace = random.of(&["", "", ", namespace: written", ", namespace: n0", ", namespace: ''"]);
        let name = format!("{name}-{object}");
        objects.push(random.of(OBJECTS).replace("NAMENAMESPACE", &format!("{name}{namespace}")).replace("NAME", &name));
    }
    if with_namespace {
        objects.push(NAMESPACE.replace("NAME", name));
    }
    objects.join("\n---\n") + "\n"
}
