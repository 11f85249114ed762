//! Whether the shipped suites catch a change.

use std::path::{Path, PathBuf};

use portcullis::harness::{Coverage, Files, Options, Suite, load, run};
use portcullis::policy::{Embedded, Manifest, embedded};

/// Whether a case of a suite that tests the policy fails with another text in place of the policy.
pub fn catch(policy: &Embedded, text: &str) -> bool {
    let wanted = folder(policy).join("policy.yaml");
    embedded().iter().any(|entry| {
        let files = Beside { folder: folder(entry), changed: wanted.clone(), text };
        let tests =
            Manifest::new("tests.yaml", std::fs::read_to_string(folder(entry).join("tests.yaml")).expect("a suite"));
        let suites = load(&tests, &files).expect("a shipped suite");
        suites.iter().filter(|suite| names(suite, &wanted)).any(fails)
    })
}

fn folder(policy: &Embedded) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(policy.category).join(policy.name)
}

fn names(suite: &Suite, file: &Path) -> bool {
    suite.policies.iter().any(|manifest| Path::new(&manifest.file) == file)
}

fn fails(suite: &Suite) -> bool {
    let options = Options { minor: 36, filter: None, definitions: &[], branches: false, explain: false };
    let result = run(suite, options, &mut Coverage::default());
    result.map_or(true, |result| result.counts().1 > 0)
}

/// The files beside a suite, one of them changed.
struct Beside<'t> {
    folder: PathBuf,
    changed: PathBuf,
    text: &'t str,
}

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<Manifest, String> {
        let path = self.folder.join(path).canonicalize().map_err(|error| error.to_string())?;
        let text = if path == self.changed.canonicalize().map_err(|error| error.to_string())? {
            self.text.to_owned()
        } else {
            std::fs::read_to_string(&path).map_err(|error| error.to_string())?
        };
        Ok(Manifest::new(path.display().to_string(), text))
    }
}
