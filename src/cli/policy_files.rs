//! The selected policies as files that a server reads again and again, each with its own fate.

use std::path::PathBuf;
use std::sync::Arc;

use crate::manifests;
use crate::policy::{self, Manifest};
use crate::server::{Compiled, FileError, InputFile, PolicySource, Role};

use super::PolicyFlags;
use super::load::{DefinitionFlags, Manifests};

/// The policies that flags select.
#[derive(Clone, Debug)]
pub struct PolicyFiles {
    flags: PolicyFlags,
    definitions: DefinitionFlags,
}

impl PolicyFiles {
    /// The policies that `flags` select, with the custom resources that `definitions` select.
    pub fn new(flags: PolicyFlags, definitions: DefinitionFlags) -> Self {
        Self { flags, definitions }
    }
}

impl PolicySource for PolicyFiles {
    fn read(&self) -> Vec<InputFile> {
        let mut inputs = read(&self.flags.policies, Role::Policies);
        inputs.extend(read(&self.flags.params, Role::Params));
        inputs.extend(read(&self.flags.exemptions, Role::Exemptions));
        inputs.extend(read(&self.definitions.crds, Role::Definitions));
        inputs
    }

    fn compile(&self, files: &[InputFile]) -> Compiled {
        let mut policies: Vec<Manifest> = Vec::new();
        if !self.flags.no_embedded {
            policies.extend(policy::embedded().iter().map(policy::Embedded::manifest));
        }
        // Params come last: of two of one name the later counts.
        policies.extend(manifests(files, Role::Policies));
        policies.extend(manifests(files, Role::Params));
        let exemptions = manifests(files, Role::Exemptions).collect();
        let definitions = manifests(files, Role::Definitions).collect();
        let (set, wrong) =
            Manifests { policies, exemptions, definitions, version: self.flags.kubernetes_version }.compile();
        let unreadable = files.iter().filter_map(|input| {
            let why = input.text.as_ref().err()?;
            Some(FileError { file: input.file.clone(), message: format!("{}: {why}", input.file) })
        });
        let wrong = wrong.into_iter().map(|error| FileError { message: error.to_string(), file: error.at.file });
        Compiled { set, errors: unreadable.chain(wrong).collect() }
    }
}

fn manifests(files: &[InputFile], role: Role) -> impl Iterator<Item = Manifest> {
    let of_role = files.iter().filter(move |input| input.role == role);
    of_role.filter_map(|input| Some(Manifest::new(&*input.file, &**input.text.as_ref().ok()?)))
}

/// The files that `paths` name, and what can't be read among them.
fn read(paths: &[PathBuf], role: Role) -> Vec<InputFile> {
    let (files, errors) = manifests::read(paths, &mut std::io::empty());
    let good = files.into_iter().map(|file| InputFile { file: file.name, role, text: Ok(Arc::from(file.text)) });
    let bad = errors.into_iter().map(|error| InputFile { file: error.name, role, text: Err(error.problem) });
    good.chain(bad).collect()
}
