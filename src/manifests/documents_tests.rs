//! What is read as a document, and what isn't.

use super::*;
use crate::engine::Namespaces;
use crate::manifests::Reason;

fn file(text: &str) -> TextFile {
    TextFile { name: "test.yaml".to_owned(), path: None, text: text.to_owned() }
}

/// What each object in `text` is called.
fn objects(text: &str) -> Vec<String> {
    let files = [file(text)];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    assert_eq!(collection.unreadable, []);
    collection.manifests.iter().map(|manifest| manifest.id.to_string()).collect()
}

#[test]
fn takes_documents_apart_and_numbers_them() {
    let files = [file(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
    )];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let places: Vec<_> = collection
        .manifests
        .iter()
        .map(|manifest| (manifest.id.name.as_str(), manifest.source.document, manifest.source.line))
        .collect();
    assert_eq!(places, [("a", 0, 1), ("b", 2, 7)]);
    assert_eq!(collection.left_out.iter().map(|document| document.reason).collect::<Vec<_>>(), [Reason::Empty]);
}

#[test]
fn unpacks_lists_and_names_the_kind_of_their_items() {
    let list = "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}}
- apiVersion: apps/v1
  kind: DeploymentList
  items:
  - metadata: {name: b, namespace: media}
- text
";
    assert_eq!(objects(list), ["Pod default/a", "Deployment media/b"]);
}

#[test]
fn stops_unpacking_lists_at_a_depth() {
    let mut list = "{apiVersion: v1, kind: Pod, metadata: {name: a}}".to_owned();
    for _ in 0..=MAX_LIST_DEPTH {
        list = format!("{{apiVersion: v1, kind: List, metadata: {{}}, items: [{list}]}}");
    }
    let files = [file(&list)];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    assert!(collection.manifests.is_empty());
    let messages: Vec<_> = collection.unreadable.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(messages, ["more than 8 lists of objects are nested in each other"]);
}

#[test]
fn reads_json() {
    assert_eq!(
        objects("{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"a\"}}"),
        ["Pod default/a"]
    );
}

#[test]
fn fills_in_the_namespace_of_namespaced_objects() {
    let files = [file(
        "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: b}}\n",
    )];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "media");
    let namespaces: Vec<_> =
        collection.manifests.iter().map(|manifest| manifest.object.at(&["metadata", "namespace"])).collect();
    assert_eq!(namespaces, [Some(Value::String("media")), None]);
    let written: Vec<_> = collection.manifests.iter().map(|m| m.written.at(&["metadata", "namespace"])).collect();
    assert_eq!(written, [None, None]);
}

#[test]
fn names_objects_whose_names_will_be_generated() {
    assert_eq!(objects("{apiVersion: batch/v1, kind: Job, metadata: {generateName: scan-}}"), ["Job default/scan-*"]);
}

#[test]
fn takes_scope_and_plural_from_definitions_anywhere_in_the_input() {
    let text = "
{apiVersion: pets.io/v1, kind: Mouse, metadata: {name: jerry}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: mice.pets.io}
spec: {group: pets.io, scope: Cluster, names: {kind: Mouse, plural: mice}}
";
    assert_eq!(objects(text), ["Mouse jerry", "CustomResourceDefinition mice.pets.io"]);
}

#[test]
fn knows_the_namespaces_in_the_input() {
    let files = [file("{apiVersion: v1, kind: Namespace, metadata: {name: media, labels: {team: home}}}")];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let media = collection.known.namespaces.namespace(&arena, "media").expect("no cluster");
    let team = media.and_then(|namespace| namespace.at(&["metadata", "labels", "team"]));
    assert_eq!(team, Some(Value::String("home")));
    assert_eq!(collection.known.namespaces.namespace(&arena, "other"), Ok(None));
}

/// What becomes of each document of a file, or of standard input where `name` is `-`.
fn outcomes(name: &str, text: &str) -> Vec<String> {
    let path = (name != "-").then(|| name.into());
    let files = [TextFile { name: name.to_owned(), path, text: text.to_owned() }];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let found = collection.manifests.iter().map(|found| (found.source.document, found.id.name.clone()));
    let left = collection.left_out.iter().map(|left| (left.source.document, format!("{:?}", left.reason)));
    let broken = collection.unreadable.iter().map(|broken| (broken.source.document, "unreadable".to_owned()));
    let mut outcomes: Vec<_> = found.chain(left).chain(broken).collect();
    outcomes.sort();
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";

#[test]
fn what_cannot_be_read_is_an_error_and_the_next_documents_are_judged() {
    for broken in [
        "a: [1",
        "# {{ .Values.a }}\na: [1",
        "a: \"{{ .Values.a }}\"\na: [1",
        "a: |\n  {{ .Values.a }}\nb: [1",
        "metadata: {labels: {{}}}",
        "a: {t: \"{{ x }}\"",
    ] {
        for name in ["a.yaml", "-"] {
            let text = format!("{POD}\n---\n{broken}\n---\n{POD}\n");
            assert_eq!(outcomes(name, &text), ["a", "unreadable", "a"], "{name} {broken}");
        }
    }
}

#[test]
fn a_template_costs_itself_alone_and_is_none_on_standard_input() {
    for template in ["a: {{ .Values.a }}\nb: [", "{{- if .Values.a }}\nkind: Pod\n{{- end }}"] {
        let text = format!("{POD}\n---\n{template}\n---\n{POD}\n");
        assert_eq!(outcomes("a.yaml", &text), ["a", "HelmTemplate", "a"], "{template}");
        assert_eq!(outcomes("-", &text), ["a", "unreadable", "a"], "{template}");
    }
}

#[test]
fn a_patch_that_cannot_be_read_is_an_error() -> std::io::Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join(".git"))?;
    std::fs::write(dir.path().join("kustomization.yaml"), "patches: [{path: patch.yaml}]")?;
    let name = dir.path().join("patch.yaml").to_string_lossy().into_owned();
    assert_eq!(outcomes(&name, &format!("{POD}\n---\na: [\n")), ["KustomizePatch", "unreadable"]);
    Ok(())
}

#[test]
fn a_list_without_items_holds_nothing() {
    for list in [
        "{apiVersion: v1, kind: List, items: []}",
        "{apiVersion: v1, kind: List, metadata: {}}",
        "{apiVersion: apps/v1, kind: DeploymentList, metadata: {}, items: null}",
    ] {
        assert!(outcomes("-", list).is_empty(), "{list}");
    }
    assert_eq!(outcomes("-", "{apiVersion: pets.io/v1, kind: AllowList, metadata: {name: a}}"), ["a"]);
}

#[test]
fn standard_input_names_documents_as_helm_does() {
    let text =
        format!("---\n# Source: app/templates/a.yaml\n{POD}\n---\n# Source: app/templates/b.yaml\na: [\n---\n{POD}\n");
    let files = [TextFile { name: "-".to_owned(), path: None, text }];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let names: Vec<_> = collection.manifests.iter().map(|manifest| manifest.source.file.as_str()).collect();
    assert_eq!(names, ["app/templates/a.yaml", "-"]);
    assert_eq!(collection.unreadable.first().map(|broken| broken.source.file.as_str()), Some("app/templates/b.yaml"));
}

#[test]
fn a_target_namespace_of_flux_replaces_what_is_written() -> std::io::Result<()> {
    let dir = tempfile::tempdir()?;
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: written}}";
    let flux = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: app}, \
                spec: {path: ./app, targetNamespace: target}}";
    let mut files = Vec::new();
    for (name, text) in [("app/pod.yaml", text), ("flux/app.yaml", flux)] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(&path, text)?;
        files.push(TextFile { name: name.to_owned(), path: Some(path), text: text.to_owned() });
    }
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let pod = collection.manifests.iter().find(|manifest| manifest.id.kind == "Pod").expect("a pod");
    assert_eq!(pod.id.namespace, "target");
    assert_eq!(pod.object.at(&["metadata", "namespace"]), Some(Value::String("target")));
    Ok(())
}

#[test]
fn an_application_of_argo_cd_gives_its_namespace_to_objects_that_have_none() -> std::io::Result<()> {
    let dir = tempfile::tempdir()?;
    let pods = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: written}}\n---\n{apiVersion: v1, kind: Pod, \
                metadata: {name: b}}";
    let set = "{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: apps, namespace: argocd}, spec: \
               {generators: [{git: {directories: [{path: 'apps/*'}]}}], template: {spec: {source: {path: '{{path}}'}, \
               destination: {namespace: '{{path.basename}}'}}}}}";
    let mut files = Vec::new();
    let texts = [
        (".git/config", ""),
        ("apps/media/pods.yaml", pods),
        ("apps/home/kustomization.yaml", "namespace: kustomized\nresources: [pods.yaml]"),
        ("apps/home/pods.yaml", pods),
        ("argocd/set.yaml", set),
    ];
    for (name, text) in texts {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(&path, text)?;
        if name.ends_with(".yaml") {
            files.push(TextFile { name: name.to_owned(), path: Some(path), text: text.to_owned() });
        }
    }
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let pods = collection.manifests.iter().filter(|manifest| manifest.id.kind == "Pod");
    let found: Vec<_> = pods.map(|pod| pod.id.to_string()).collect();
    assert_eq!(
        found,
        ["Pod media/a", "Pod media/b", "Pod kustomized/a", "Pod kustomized/b"]
            .map(|id| id.replace("media/a", "written/a"))
    );
    Ok(())
}
