//! Whole checkouts: which file gets which namespaces, what is a patch, what is built.

use std::{fs, io};

use crate::json::Arena;
use crate::json::yaml;

use super::super::files;
use super::*;
use crate::manifests::TextFile;

/// A checkout with these files.
fn checkout(files: &[(&str, &str)]) -> io::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join(".git"))?;
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)?;
    }
    Ok(dir)
}

fn around(dir: &Path) -> Kustomizations {
    let (files, errors) = files::read(&[dir.to_owned()], &mut io::empty());
    assert!(errors.is_empty(), "{errors:?}");
    Kustomizations::around(files.iter().filter_map(TextFile::called))
}

/// The namespaces of the files, written `a b`, `-` for none that is set.
fn namespaces(files: &[(&str, &str)], asked: &[&str]) -> io::Result<Vec<String>> {
    let dir = checkout(files)?;
    let found = around(dir.path());
    assert_eq!(found.problems, []);
    let shown = |file: &&str| {
        let names = found.namespaces_of(&dir.path().join(file));
        names.into_iter().map(|name| name.unwrap_or("-")).collect::<Vec<_>>().join(" ")
    };
    Ok(asked.iter().map(shown).collect())
}

#[test]
fn a_listed_file_gets_the_namespace_of_its_kustomization() -> io::Result<()> {
    let files = [
        ("media/kustomization.yaml", "namespace: media\nresources: [jellyfin.yaml, ./sub/sonarr.yaml]"),
        ("media/jellyfin.yaml", ""),
        ("media/sub/sonarr.yaml", ""),
        ("media/unlisted.yaml", ""),
    ];
    let found = namespaces(&files, &["media/jellyfin.yaml", "media/sub/sonarr.yaml", "media/unlisted.yaml"])?;
    assert_eq!(found, ["media", "media", ""]);
    Ok(())
}

#[test]
fn the_outermost_kustomization_that_sets_one_decides() -> io::Result<()> {
    let files = [
        ("kustomization.yaml", "resources: [apps/, other]"),
        ("apps/kustomization.yml", "namespace: outer\nresources:\n- a.yaml\n- b/"),
        ("apps/a.yaml", ""),
        ("apps/b/Kustomization", "namespace: inner\nresources: [b.yaml, c]"),
        ("apps/b/b.yaml", ""),
        ("apps/b/c/kustomization.yaml", "resources: [c.yaml]"),
        ("apps/b/c/c.yaml", ""),
        ("elsewhere/c.yaml", ""),
    ];
    let found = namespaces(&files, &["apps/a.yaml", "apps/b/b.yaml", "apps/b/c/c.yaml", "elsewhere/c.yaml"])?;
    assert_eq!(found, ["outer", "outer", "outer", ""]);
    Ok(())
}

#[test]
fn each_overlay_puts_a_base_into_its_namespace() -> io::Result<()> {
    let files = [
        ("base/kustomization.yaml", "namespace: base\nresources: [a.yaml]"),
        ("base/a.yaml", ""),
        ("overlays/dev/kustomization.yaml", "namespace: dev\nresources: [../../base]"),
        ("overlays/prod/kustomization.yaml", "namespace: prod\nbases: [../../base]"),
        ("overlays/plain/Kustomization", "resources: [../../base]"),
    ];
    assert_eq!(namespaces(&files, &["base/a.yaml"])?, ["base dev prod"]);
    Ok(())
}

#[test]
fn a_component_speaks_for_what_is_there_before_it() -> io::Result<()> {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
    let (one, two) = (
        format!("{component}namespace: one\nresources: [b.yaml]"),
        format!("{component}components: [../three]\nresources: [c.yaml]"),
    );
    let three = format!("{component}namespace: three");
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\ncomponents: [../one, ../two]"),
        ("fixed/kustomization.yaml", "namespace: fixed\nresources: [d.yaml]\ncomponents: [../one]"),
        ("one/kustomization.yaml", &one),
        ("two/kustomization.yaml", &two),
        ("three/kustomization.yaml", &three),
        ("app/a.yaml", ""),
        ("one/b.yaml", ""),
        ("two/c.yaml", ""),
        ("fixed/d.yaml", ""),
    ];
    let found = namespaces(&files, &["app/a.yaml", "one/b.yaml", "two/c.yaml", "fixed/d.yaml"])?;
    assert_eq!(found, ["three", "fixed three", "three", "fixed"]);
    Ok(())
}

#[test]
fn patches_are_told_from_objects() -> io::Result<()> {
    let dir = checkout(&[(
        "kustomization.yaml",
        "resources: [a.yaml, both.yaml]\npatchesStrategicMerge: [old.yaml, both.yaml]\npatches:\n- path: patches/new.yaml\n- patch: inline",
    )])?;
    let found = around(dir.path());
    let is_patch = |file: &str| found.is_patch(&dir.path().join(file));
    assert!(is_patch("old.yaml"));
    assert!(is_patch("patches/new.yaml"));
    assert!(!is_patch("a.yaml"));
    assert!(!is_patch("both.yaml"), "it is an object, too");
    Ok(())
}

#[test]
fn the_outermost_are_built_and_components_never() -> io::Result<()> {
    let dir = checkout(&[
        ("base/kustomization.yaml", "resources: [a.yaml]"),
        ("dev/kustomization.yaml", "resources: [../base]"),
        ("prod/Kustomization", "resources: [../base]"),
        ("component/kustomization.yaml", "kind: Component\nresources: [a.yaml]"),
        ("loop/a/kustomization.yaml", "namespace: a\nresources: [../b, ../a, ., file.yaml]"),
        ("loop/b/kustomization.yaml", "resources: [../a]"),
        ("loop/a/file.yaml", ""),
    ])?;
    let found = around(dir.path());
    let names = |kustomizations: Vec<&Kustomization>| -> Vec<String> {
        let name = |found: &&Kustomization| Some(found.directory().file_name()?.to_string_lossy().into_owned());
        kustomizations.iter().filter_map(name).collect()
    };
    assert_eq!(names(found.outermost()), ["dev", "prod"]);
    assert_eq!(names(found.circular()), ["a", "b"]);
    assert_eq!(found.namespaces_of(&dir.path().join("loop/a/file.yaml")), []);
    Ok(())
}

#[test]
fn kustomizations_deep_inside_each_other_are_a_problem() -> io::Result<()> {
    let mut files = Vec::new();
    for depth in 0..70 {
        let name = format!("{}kustomization.yaml", "d/".repeat(depth));
        files.push((name, "namespace: a\nresources: [d, a.yaml]"));
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let dir = checkout(&files)?;
    let problems = around(dir.path()).problems;
    assert!(problems.len() == 1 && problems[0].1.starts_with("64 kustomizations inside each other"), "{problems:?}");
    Ok(())
}

#[test]
fn nothing_above_the_checkout_is_asked() -> io::Result<()> {
    let files = [
        ("kustomization.yaml", "namespace: outside\nresources: [inner/a.yaml]"),
        ("inner/.git/config", ""),
        ("inner/a.yaml", ""),
    ];
    let dir = checkout(&files)?;
    let file = dir.path().join("inner/a.yaml");
    assert_eq!(around(&dir.path().join("inner")).namespaces_of(&file), []);
    assert_eq!(around(dir.path()).namespaces_of(&file), [Some("outside")]);
    Ok(())
}

#[test]
fn transforms_objects_as_kustomize_does() {
    for (object, is_namespaced, expected) in [
        (
            "{kind: Pod, apiVersion: v1, metadata: {name: a, namespace: b}}",
            true,
            "{kind: Pod, apiVersion: v1, metadata: {name: a, namespace: ns}}",
        ),
        ("{kind: Pod, apiVersion: v1}", true, "{kind: Pod, apiVersion: v1, metadata: {namespace: ns}}"),
        (
            "{kind: Namespace, apiVersion: v1, metadata: {name: a, labels: {b: c}}}",
            false,
            "{kind: Namespace, apiVersion: v1, metadata: {name: ns, labels: {b: c}}}",
        ),
        (
            "{kind: Node, apiVersion: v1, metadata: {name: a}}",
            false,
            "{kind: Node, apiVersion: v1, metadata: {name: a}}",
        ),
        (
            "{kind: ClusterRoleBinding, apiVersion: rbac.authorization.k8s.io/v1, subjects: [{kind: ServiceAccount, name: default, namespace: a}, {kind: ServiceAccount, name: b, namespace: a}, {kind: User, name: default}]}",
            false,
            "{kind: ClusterRoleBinding, apiVersion: rbac.authorization.k8s.io/v1, subjects: [{kind: ServiceAccount, name: default, namespace: ns}, {kind: ServiceAccount, name: b, namespace: a}, {kind: User, name: default, namespace: ns}]}",
        ),
    ] {
        let arena = Arena::new();
        let read = |text| yaml::documents(&arena, text).into_iter().next().expect("a document").expect("YAML").value;
        assert_eq!(transform(&arena, read(object), is_namespaced, "ns"), read(expected), "{object}");
    }
}
