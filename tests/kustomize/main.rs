//! Asks the real kustomize what becomes of generated checkouts, and ours what it makes of the same files.
//!
//! `cargo test --test kustomize`; builds kustomize by `tests/kustomize/build.sh`, unless `PORTCULLIS_KUSTOMIZE` names one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod generate;
mod namespaces;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;
mod render;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where a ready binary is named.
const VARIABLE: &str = "PORTCULLIS_KUSTOMIZE";

/// The binary that the environment names, or else one that is built.
fn kustomize() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os(VARIABLE) {
            return named.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = Command::new(root.join("tests/kustomize/build.sh")).status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "tests/kustomize/build.sh failed; {VARIABLE} may name a ready binary"
        );
        root.join("target/tools/kustomize")
    })
}

/// A checkout with these files.
fn checkout(files: &[(String, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join(".git")).expect("a root");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("a file");
    }
    dir
}
