//! `portcullis policies docs`.

use std::path::Path;

use super::{portcullis, portcullis_with};

#[test]
fn the_pages_of_the_repository_are_what_the_policies_say() {
    let run =
        portcullis_with(&["policies", "docs", "docs/policies", "--check"], "", Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

#[test]
fn writes_a_page_for_each_policy_and_leaves_other_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("answers.md"), "mine\n").unwrap();
    let gone = "<!-- Written by `portcullis policies docs`, from the policy's folder in policies/. -->\n";
    std::fs::write(dir.path().join("gone.md"), gone).unwrap();
    let run = portcullis_with(&["policies", "docs", "."], "", dir.path());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(!dir.path().join("gone.md").exists());
    assert_eq!(std::fs::read_to_string(dir.path().join("answers.md")).unwrap(), "mine\n");
    let index = std::fs::read_to_string(dir.path().join("README.md")).unwrap();
    assert!(index.contains("[require-pinned-images](require-pinned-images.md)"), "{index}");

    let page = std::fs::read_to_string(dir.path().join("require-pinned-images.md")).unwrap();
    let shown = portcullis(&["policies", "show", "require-pinned-images"]);
    assert!(page.ends_with(&shown.stdout), "{}", shown.stdout);
}

#[test]
fn check_names_what_is_stale_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(portcullis_with(&["policies", "docs", "."], "", dir.path()).code, 0);
    std::fs::write(dir.path().join("require-pinned-images.md"), "changed\n").unwrap();
    let run = portcullis_with(&["policies", "docs", "--check", "."], "", dir.path());
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.starts_with("./require-pinned-images.md: not what the policies say"), "{}", run.stdout);
    assert_eq!(std::fs::read_to_string(dir.path().join("require-pinned-images.md")).unwrap(), "changed\n");

    let run = portcullis_with(&["policies", "docs", "--check", "absent"], "", dir.path());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("absent: can't read"), "{}", run.stderr);
}
