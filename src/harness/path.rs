//! Paths of files, as suites name them.

/// A path without the steps that lead up again: suites beside a policy and elsewhere name its file in different ways.
pub(super) fn normal(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match (step, steps.last()) {
            (".", _) => {}
            ("..", Some(last)) if !matches!(*last, ".." | "") => drop(steps.pop()),
            _ => steps.push(step),
        }
    }
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name_by_every_way_to_it() {
        for (path, name) in [
            ("a/b/../c/policy.yaml", "a/c/policy.yaml"),
            ("policies/a/b/../../c/policy.yaml", "policies/c/policy.yaml"),
            ("./policy.yaml", "policy.yaml"),
            ("./a/./policy.yaml", "a/policy.yaml"),
            ("../policy.yaml", "../policy.yaml"),
            ("../../a/policy.yaml", "../../a/policy.yaml"),
            ("../../a/../policy.yaml", "../../policy.yaml"),
            ("/../policy.yaml", "/../policy.yaml"),
            ("/a/../../policy.yaml", "/../policy.yaml"),
            ("embedded:a/b/policy.yaml", "embedded:a/b/policy.yaml"),
        ] {
            assert_eq!(normal(path), name);
        }
    }
}
