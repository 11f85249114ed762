//! Every object in the namespaces that kustomize builds it into, without a build of ours.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;

use portcullis::json::Arena;
use portcullis::manifests::{Collection, TextFile, collect, read};

use crate::generate::Checkout;
use crate::{checkout, kustomize};

/// How many checkouts are compared.
const COUNT: u64 = 250;

/// Objects with what the namespace transformer changes: their namespace, a Namespace's name, the subjects of bindings.
fn objects(collection: &Collection<'_>) -> BTreeSet<String> {
    assert_eq!(collection.unreadable, []);
    let object = |manifest: &portcullis::manifests::Manifest<'_>| {
        let subjects = manifest.object.get("subjects").map(portcullis::json::yaml::to_yaml).unwrap_or_default();
        format!("{} {subjects}", manifest.id)
    };
    collection.manifests.iter().map(object).collect()
}

fn built(directory: &Path) -> Result<BTreeSet<String>, String> {
    let output = Command::new(kustomize()).arg("build").arg(directory).output().expect("kustomize runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let files = [TextFile { name: "-".to_owned(), path: None, text }];
    let arena = Arena::new();
    Ok(objects(&collect(&arena, &files, "default")))
}

fn judged(directory: &Path) -> BTreeSet<String> {
    let (files, errors) = read(&[directory.to_owned()], &mut io::empty());
    assert!(errors.is_empty(), "{errors:?}");
    let arena = Arena::new();
    objects(&collect(&arena, &files, "default"))
}

#[test]
fn objects_are_judged_in_the_namespaces_that_kustomize_gives_them() {
    let (mut same, mut refused) = (0, 0);
    for number in 0..COUNT {
        let generated = Checkout::new(number);
        let dir = checkout(&generated.files);
        let mut expected = BTreeSet::new();
        let builds: Result<Vec<_>, _> =
            generated.outermost.iter().map(|directory| built(&dir.path().join(directory))).collect();
        match builds {
            Ok(builds) => expected.extend(builds.into_iter().flatten()),
            Err(error) => {
                // One object twice in a build, by two ways: kustomize refuses that.
                assert!(error.contains("already registered id") || error.contains("ID conflict"), "{number}: {error}");
                refused += 1;
                continue;
            }
        }
        assert_eq!(judged(dir.path()), expected, "checkout {number}: {generated:#?}");
        same += 1;
    }
    assert!(same > COUNT / 2, "{same} compared, {refused} refused by kustomize");
}
