//! Field paths in what policies say, as those of the object that a policy is moved to.

use crate::engine::field::{self, Step};

/// A message that is about a pod's fields, about the same fields below `template`.
pub fn message(text: &str, template: &[&str]) -> String {
    field::rewrite(text, |path| match field::steps(path) {
        Some(steps) if is_of_template(&steps) => {
            let template: Vec<Step<'_>> = template.iter().map(|name| Step::Field(name)).collect();
            field::join(&[template.as_slice(), &steps].concat())
        }
        _ => path.to_owned(),
    })
}

/// A part of a message; `None` if it begins with no field of a pod.
pub fn part(text: &str, template: &[&str]) -> Option<String> {
    let whole = message(text, template);
    if whole != text {
        return Some(whole);
    }
    // What follows is added when the expression is evaluated.
    let begins =
        |field: &str| text.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let is_path = ["spec", "metadata.labels", "metadata.annotations"].into_iter().any(begins);
    is_path.then(|| format!("{}.{text}", template.join(".")))
}

/// Whether a pod has the field from its template.
fn is_of_template(steps: &[Step<'_>]) -> bool {
    matches!(steps, [Step::Field("spec"), ..] | [Step::Field("metadata"), Step::Field("labels" | "annotations"), ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_paths_at_the_head_of_messages() {
        for (text, moved) in [
            ("spec.containers: no", "spec.template.spec.containers: no"),
            ("spec: no", "spec.template.spec: no"),
            (
                "spec.a, spec.b: both; spec.c: too",
                "spec.template.spec.a, spec.template.spec.b: both; spec.template.spec.c: too",
            ),
            ("metadata.annotations['a']: no", "spec.template.metadata.annotations['a']: no"),
            ("metadata.name: no", "metadata.name: no"),
            ("write spec.hostNetwork: false", "write spec.hostNetwork: false"),
        ] {
            assert_eq!(message(text, &["spec", "template"]), moved, "{text}");
        }
    }

    #[test]
    fn moves_parts_that_begin_with_a_field_of_a_pod() {
        for (text, moved) in [
            ("spec", Some("template.spec")),
            ("spec.containers[", Some("template.spec.containers[")),
            ("spec.volumes: no", Some("template.spec.volumes: no")),
            ("metadata.annotations['", Some("template.metadata.annotations['")),
            ("metadata.name", None),
            ("specification", None),
            ("spec must be", None),
            ("]: spec.a", None),
            ("", None),
        ] {
            assert_eq!(part(text, &["template"]).as_deref(), moved, "{text}");
        }
    }
}
