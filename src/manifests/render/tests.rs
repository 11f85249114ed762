//! Renderers of our own making in place of the real ones: what is built, and what becomes of it.

use std::os::unix::fs::PermissionsExt;
use std::{fs, io};

use super::super::{Collection, collect_built, read};
use super::*;
use crate::json::Arena;
use crate::json::yaml::Step;

/// Prints what the directory's `built` says; asked for origins, what `origins` says, with `@` for the way to the directory.
const KUSTOMIZE: &str = r#"#!/bin/sh
[ "$1" = build ] && [ "$#" = 2 ] && [ -z "$KUSTOMIZE_PLUGIN_HOME" ] && exit 9
directory=$2
if grep -q originAnnotations "$2/kustomization.yaml"; then
  way=$(sed 's/.*"resources":\["\([^"]*\)"\].*/\1/' "$2/kustomization.yaml")
  sed "s|@|$way|" "$2/$way/origins"
elif [ -f "$2/fails" ]; then
  cat "$2/fails" >&2
  exit 1
else
  cat "$2/built"
fi
"#;

const HELM: &str = "#!/bin/sh\n[ \"$1 $2 $4 $5 $6\" = 'template release-name --include-crds --namespace media' ] && cat \"$3/built\"\n";

struct Tree {
    dir: tempfile::TempDir,
    tools: tempfile::TempDir,
}

impl Tree {
    fn new(files: &[(&str, &str)], tools: &[(&str, &str)]) -> io::Result<Self> {
        let tree = Self { dir: tempfile::tempdir()?, tools: tempfile::tempdir()? };
        fs::create_dir(tree.dir.path().join(".git"))?;
        for (name, text) in files {
            let path = tree.dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(path, text)?;
        }
        for (name, text) in tools {
            let path = tree.tools.path().join(name);
            fs::write(&path, text)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(tree)
    }

    fn options(&self) -> Options {
        // The shell and its helpers are on the machine's own path.
        let path = format!("{}:/usr/bin:/bin", self.tools.path().display());
        Options {
            time: Duration::from_secs(120),
            namespace: "media".to_owned(),
            path: if fs::read_dir(self.tools.path()).is_ok_and(|tools| tools.count() > 0) {
                path.into()
            } else {
                self.tools.path().into()
            },
            output: MAX_OUTPUT,
        }
    }

    fn judged<T>(
        &self,
        paths: &[&str],
        options: &Options,
        then: impl FnOnce(&Collection<'_>, &dyn Fn(&str) -> String) -> T,
    ) -> io::Result<T> {
        let paths: Vec<_> = paths.iter().map(|path| self.dir.path().join(path)).collect();
        let (mut files, errors) = read(&paths, &mut io::empty());
        assert!(errors.is_empty(), "{errors:?}");
        let built = build(&mut files, options)?;
        let arena = Arena::new();
        let collection = collect_built(&arena, &files, Some(&built), "media");
        let prefix = format!("{}/", self.dir.path().display());
        Ok(then(&collection, &|name| name.trim_start_matches(&prefix).to_owned()))
    }

    /// Each object with its place and what built it, then each error with its place.
    fn summary(&self, paths: &[&str], options: &Options) -> io::Result<Vec<String>> {
        self.judged(paths, options, |collection, name| {
            let object = |manifest: &super::super::Manifest<'_>| {
                let (file, line) = (name(&manifest.source.file), manifest.source.line);
                format!("{} {file}:{line} {}", manifest.id, name(manifest.built_by.unwrap_or("raw")))
            };
            let error = |error: &Unreadable| format!("{}: {}", name(&error.source.file), error.message);
            collection.manifests.iter().map(object).chain(collection.unreadable.iter().map(error)).collect()
        })
    }
}

const BASE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
---
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    template:
      spec:
        containers:
        - name: app
          image: app
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: other}
";

fn deployment(origin: &str) -> String {
    let annotations = if origin.is_empty() {
        String::new()
    } else {
        format!("\n  annotations:\n    config.kubernetes.io/origin: |\n      path: {origin}")
    };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: prod-web\n  namespace: prod{annotations}\nspec:\n  template:\n    spec:\n      containers:\n      - name: sidecar\n        image: added:1\n      - name: app\n        image: app:1\n"
    )
}

fn generated(origin: bool) -> String {
    let annotation = if origin {
        "\n  annotations:\n    config.kubernetes.io/origin: |\n      configuredIn: @/kustomization.yaml\n      configuredBy: {apiVersion: builtin, kind: ConfigMapGenerator}"
    } else {
        ""
    };
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made-abc\n  namespace: prod{annotation}\n")
}

fn overlay() -> io::Result<Tree> {
    let built = deployment("") + &generated(false);
    let origins = deployment("@/../base/web.yaml") + &generated(true);
    Tree::new(
        &[
            ("base/kustomization.yaml", "resources: [web.yaml]"),
            ("base/web.yaml", BASE),
            ("base/loose.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: loose}}"),
            (
                "prod/kustomization.yaml",
                "resources: [../base]\nnamePrefix: prod-\nconfigMapGenerator: [{name: made}]\n",
            ),
            ("prod/built", &built),
            ("prod/origins", &origins),
        ],
        &[("kustomize", KUSTOMIZE)],
    )
}

#[test]
fn judges_an_overlay_as_it_is_built_at_the_lines_of_its_base() -> io::Result<()> {
    let tree = overlay()?;
    let found = tree.summary(&["."], &tree.options())?;
    assert_eq!(
        found,
        [
            "Pod media/loose ./base/loose.yaml:1 raw",
            "Deployment prod/prod-web ./base/web.yaml:5 ./prod/kustomization.yaml",
            "ConfigMap prod/made-abc ./prod/kustomization.yaml:3 ./prod/kustomization.yaml",
        ]
    );
    tree.judged(&["."], &tree.options(), |collection, _| {
        let deployment = collection.manifests.iter().find(|manifest| manifest.id.kind == "Deployment");
        let deployment = deployment.expect("the deployment");
        assert_eq!(deployment.object.at(&["metadata", "annotations"]), None, "nobody's annotation is judged");
        // It is the first item of a list.
        assert_eq!(deployment.lines.line(&[Step::Key("kind")]), 9);
        let way = |field| {
            let path = crate::json::pointer::Path::parse(field).expect("a path");
            deployment.written_path(path).to_string()
        };
        assert_eq!(way("spec.template.spec.containers[1].image"), "spec.template.spec.containers[0].image");
        assert_eq!(way("spec.template.spec.containers[0].image"), "spec.template.spec.containers", "it was added");
    })
}

#[test]
fn reads_a_base_that_lies_outside_what_is_audited() -> io::Result<()> {
    let tree = overlay()?;
    let found = tree.summary(&["prod"], &tree.options())?;
    assert_eq!(found[0], "Deployment prod/prod-web base/web.yaml:5 prod/kustomization.yaml");
    assert_eq!(found.len(), 2, "nothing of the base is judged by itself: {found:?}");
    Ok(())
}

#[test]
fn one_build_that_fails_is_an_error_and_its_files_are_judged_as_they_are() -> io::Result<()> {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";
    let tree = Tree::new(
        &[
            ("a/kustomization.yaml", "namespace: a\nresources: [pod.yaml]"),
            ("a/pod.yaml", pod),
            ("a/fails", "Error: no\u{7} such\nbase"),
            ("b/kustomization.yaml", "resources: [pod.yaml]"),
            ("b/pod.yaml", pod),
            ("b/built", "{apiVersion: v1, kind: Pod, metadata: {name: built}}"),
            ("b/origins", ""),
            ("c/kustomization.yaml", "resources: [pod.yaml, 'https://example.com/x']"),
            ("c/pod.yaml", pod),
            ("d/kustomization.yaml", "resources: ['.']"),
            ("e/kustomization.yaml", "resources: []"),
            ("e/built", "a: [\n"),
            ("e/origins", ""),
        ],
        &[("kustomize", KUSTOMIZE)],
    )?;
    assert_eq!(
        tree.summary(&["."], &tree.options())?,
        [
            "Pod a/a ./a/pod.yaml:1 raw",
            "Pod media/a ./c/pod.yaml:1 raw",
            "Pod media/built ./b/kustomization.yaml:1 ./b/kustomization.yaml",
            "./e/kustomization.yaml: line 2 of what it is built to is not valid YAML: expected a value here",
            "./d/kustomization.yaml: kustomizations that refer to each other in a circle can't be built",
            "./a/kustomization.yaml: not built: kustomize: Error: no\\u{7} such base",
            "./c/kustomization.yaml: not built: https://example.com/x would be fetched; judge its output: kustomize build DIR | portcullis audit -",
        ]
    );
    Ok(())
}

#[test]
fn takes_kubectl_where_there_is_no_kustomize_and_says_where_there_is_neither() -> io::Result<()> {
    let files = [("a/kustomization.yaml", "resources: []"), ("b/Chart.yaml", "name: b")];
    let kubectl = "#!/bin/sh\n[ \"$1\" = kustomize ] && echo '{apiVersion: v1, kind: Pod, metadata: {name: a}}'\n";
    let tree = Tree::new(&files, &[("kubectl", kubectl)])?;
    let found = tree.summary(&["."], &tree.options())?;
    assert_eq!(found[0], "Pod media/a ./a/kustomization.yaml:1 ./a/kustomization.yaml");

    let tree = Tree::new(&files, &[])?;
    assert_eq!(
        tree.summary(&["."], &tree.options())?,
        [
            "./a/kustomization.yaml: not built: neither kustomize nor kubectl is on PATH; install one of them",
            "./b/Chart.yaml: not built: helm is not on PATH; install it",
        ]
    );
    Ok(())
}

#[test]
fn judges_a_chart_as_helm_makes_it_at_its_templates() -> io::Result<()> {
    let built = "\
---
# Source: media/charts/db/templates/db.yaml
apiVersion: v1
kind: Pod
metadata: {name: db}
---
# Source: media/templates/web.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
---
# Source: media/templates/../../../outside.yaml
apiVersion: v1
kind: Pod
metadata: {name: outside}
";
    let tree = Tree::new(
        &[
            ("media/Chart.yaml", "apiVersion: v2\nname: media"),
            ("media/built", built),
            ("media/values.yaml", "a: 1"),
            ("media/templates/web.yaml", "{{- if true }}\napiVersion: v1\nkind: Service\n{{ end }}"),
            ("media/charts/db/Chart.yaml", "apiVersion: v2\nname: db"),
            ("media/charts/db/templates/db.yaml", "apiVersion: v1\nkind: Pod\n"),
            ("outside.yaml", ""),
            ("library/Chart.yaml", "{apiVersion: v2, name: library, type: library}"),
        ],
        &[("helm", HELM)],
    )?;
    assert_eq!(
        tree.summary(&["."], &tree.options())?,
        [
            "Pod media/db ./media/charts/db/templates/db.yaml:1 ./media/Chart.yaml",
            "Service media/web ./media/templates/web.yaml:2 ./media/Chart.yaml",
            "Pod media/outside ./media/templates/web.yaml:1 ./media/Chart.yaml",
        ]
    );
    tree.judged(&["."], &tree.options(), |collection, name| {
        let left_out: Vec<_> = collection.left_out.iter().map(|document| name(&document.source.file)).collect();
        assert_eq!(left_out, ["./library/Chart.yaml"], "a chart that is built is not left out");
    })
}

#[test]
fn finds_the_fields_of_what_helm_makes_in_its_templates() -> io::Result<()> {
    let template = "\
{{- if .Values.enabled }}
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-web
  labels: {{- include \"labels\" . | nindent 4 }}
spec:
  containers:
  - name: app
    image: \"{{ .Values.image }}:{{ .Values.tag }}\"
    securityContext:
      privileged: {{ .Values.privileged }}
{{- end }}
---
apiVersion: v1
kind: Pod
metadata: {name: other}
---
{{- if .Values.twice }}
kind: Service
kind: Service
{{- end }}
";
    let source = "---\n# Source: media/templates/web.yaml\n";
    let built = format!(
        "{source}{{apiVersion: v1, kind: Pod, metadata: {{name: release-web, labels: {{a: b}}}}, spec: {{containers: \
         [{{name: app, image: 'a:1', securityContext: {{privileged: true}}}}]}}}}\n\
         {source}{{apiVersion: v1, kind: Pod, metadata: {{name: other}}}}\n\
         {source}{{apiVersion: v1, kind: Service, metadata: {{name: s}}}}\n\
         {source}{{apiVersion: v1, kind: Secret, metadata: {{name: of-a-helper}}}}\n"
    );
    let files = [("media/Chart.yaml", "name: media"), ("media/built", &built), ("media/templates/web.yaml", template)];
    let tree = Tree::new(&files, &[("helm", HELM)])?;
    tree.judged(&["."], &tree.options(), |collection, name| {
        let line = |at: usize, path: &[Step<'_>]| collection.manifests[at].lines.line(path);
        let container = [Step::Key("spec"), Step::Key("containers"), Step::Index(0)];
        let privileged = [&container[..], &[Step::Key("securityContext"), Step::Key("privileged")]].concat();
        assert_eq!(line(0, &privileged), 12);
        assert_eq!(line(0, &[Step::Key("metadata"), Step::Key("labels"), Step::Key("a")]), 6);
        let places: Vec<_> = collection.manifests.iter().map(|manifest| &manifest.source).collect();
        assert!(places.iter().all(|place| name(&place.file) == "./media/templates/web.yaml"), "{places:?}");
        // What can't be read has the line of its kind, what isn't written the first one.
        assert_eq!(places.iter().map(|place| place.line).collect::<Vec<_>>(), [2, 15, 20, 1]);
    })
}

#[test]
fn all_builds_together_may_print_so_much() -> io::Result<()> {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";
    let tree = Tree::new(
        &[
            ("a/kustomization.yaml", ""),
            ("a/built", pod),
            ("a/origins", ""),
            ("b/kustomization.yaml", ""),
            ("b/built", pod),
            ("b/origins", ""),
        ],
        &[("kustomize", KUSTOMIZE)],
    )?;
    let size = pod.len() as u64;
    for (output, built) in [(2 * size, 2), (2 * size - 1, 1), (size, 1), (size - 1, 0)] {
        let found = tree.summary(&["."], &Options { output, ..tree.options() })?;
        let errors = found.iter().filter(|line| line.contains("kustomize: printed more than")).count();
        assert_eq!((found.len(), errors), (2, 2 - built), "{found:?}");
    }
    Ok(())
}

#[test]
fn nothing_is_written_into_the_tree() -> io::Result<()> {
    let tree = overlay()?;
    let list = || -> Vec<_> {
        ignore::WalkBuilder::new(tree.dir.path())
            .standard_filters(false)
            .sort_by_file_name(std::cmp::Ord::cmp)
            .build()
            .flatten()
            .map(|at| at.into_path())
            .collect()
    };
    let before = list();
    tree.summary(&["."], &tree.options())?;
    assert_eq!(list(), before);
    Ok(())
}

#[test]
fn a_base_of_many_overlays_is_judged_in_so_many_namespaces() -> io::Result<()> {
    let overlays: Vec<_> = (0..65)
        .map(|at| (format!("o{at}/kustomization.yaml"), format!("namespace: n{at}\nresources: [../base]")))
        .collect();
    let base = [
        ("base/kustomization.yaml", "resources: [pod.yaml]"),
        ("base/pod.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}}"),
    ];
    for (count, judged, errors) in [(64, 64, 0), (65, 64, 1)] {
        let overlays = overlays.iter().take(count).map(|(name, text)| (name.as_str(), text.as_str()));
        let tree = Tree::new(&base.into_iter().chain(overlays).collect::<Vec<_>>(), &[])?;
        let (files, _) = read(&[tree.dir.path().to_owned()], &mut io::empty());
        let arena = Arena::new();
        let collection = collect_built(&arena, &files, None, "media");
        assert_eq!((collection.manifests.len(), collection.unreadable.len()), (judged, errors));
        let says = collection.unreadable.iter().all(|error| error.message.starts_with("65 namespaces by as many"));
        assert!(says, "{:?}", collection.unreadable);
    }
    Ok(())
}
