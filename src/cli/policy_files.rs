//! The selected policies as files that a server reads again and again, each with its own fate.

use std::path::PathBuf;
use std::sync::Arc;

use crate::json::Arena;
use crate::manifests;
use crate::policy::{self, Manifest};
use crate::server::{Compiled, Declared, FileError, InputFile, PolicySource, Role};

use super::PolicyFlags;
use super::load::{DefinitionFlags, Manifests};

/// The policies that flags select.
#[derive(Clone, Debug)]
pub struct PolicyFiles {
    flags: PolicyFlags,
    definitions: DefinitionFlags,
    allow_empty: bool,
}

impl PolicyFiles {
    /// The policies that `flags` select, with the custom resources that `definitions` select. A path of policies without
    /// any object is an error unless `allow_empty`.
    pub fn new(flags: PolicyFlags, definitions: DefinitionFlags, allow_empty: bool) -> Self {
        Self { flags, definitions, allow_empty }
    }

    /// The errors of paths in which nothing is declared, and nothing else is wrong.
    fn empty(&self, files: &[InputFile], declared: &[Declared], errors: &[FileError]) -> Vec<FileError> {
        if self.allow_empty {
            return Vec::new();
        }
        let roots = self.flags.policies.iter().map(|path| manifests::display_name(path));
        let is_in =
            |file: &str, root: &str| file == root || files.iter().any(|input| input.file == file && input.root == root);
        let is_empty = |root: &String| {
            !declared.iter().any(|declared| is_in(&declared.file, root))
                && !errors.iter().any(|error| is_in(&error.file, root))
        };
        let problem = "no documents; give policies, or say with --allow-empty that it is meant";
        roots.filter(is_empty).map(|root| FileError { message: format!("{root}: {problem}"), file: root }).collect()
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
        let mut errors: Vec<FileError> = unreadable.chain(wrong).collect();
        let declared = declared(files);
        errors.extend(self.empty(files, &declared, &errors));
        Compiled { set, declared, errors }
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }
}

/// The objects that files declare, as far as they can be parsed; exemptions are none.
fn declared(files: &[InputFile]) -> Vec<Declared> {
    let mut declared = Vec::new();
    for role in [Role::Policies, Role::Params, Role::Definitions] {
        for manifest in manifests(files, role) {
            // Mistakes have been reported by whoever compiled the same text.
            for document in manifest.objects(&Arena::new(), &mut Vec::new()) {
                let (kind, name) = (document.text(&["kind"]), document.text(&["metadata", "name"]));
                let object = match document.text(&["metadata", "namespace"]) {
                    "" => format!("{kind} {name}"),
                    namespace => format!("{kind} {namespace}/{name}"),
                };
                declared.push(Declared { file: manifest.file.clone(), object });
            }
        }
    }
    declared
}

fn manifests(files: &[InputFile], role: Role) -> impl Iterator<Item = Manifest> {
    let of_role = files.iter().filter(move |input| input.role == role);
    of_role.filter_map(|input| Some(Manifest::new(&*input.file, &**input.text.as_ref().ok()?)))
}

/// The files that `paths` name, and what can't be read among them. Only a regular file is the same when it is read
/// again.
fn read(paths: &[PathBuf], role: Role) -> Vec<InputFile> {
    let mut inputs = Vec::new();
    for path in paths {
        let root = manifests::display_name(path);
        let input = |file, text| InputFile { file, role, root: root.clone(), text };
        let (files, errors) = manifests::read(std::slice::from_ref(path), &mut std::io::empty());
        inputs.extend(files.into_iter().map(|file| input(file.name, Ok(Arc::from(file.text)))));
        inputs.extend(errors.into_iter().map(|error| input(error.name, Err(error.problem))));
    }
    inputs
}
