//! The selected policies as files that a server reads again and again, each with its own fate.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use crate::json::Arena;
use crate::manifests;
use crate::policy::{Choice, Embedded, LoadError, Manifest, ProfileFiles, Selection, is_profile_file};
use crate::server::{Compiled, Declared, FileError, InputFile, PolicySource, Role};

use super::PolicyFlags;
use super::load::{DefinitionFlags, Manifests};
use super::profile::{ProfileFlags, beside};

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

    /// The profile and those that it extends, as far as they are files.
    fn read_profile(&self) -> Vec<InputFile> {
        let recorder = Recorder::default();
        if self.profile_file().is_some() {
            // Mistakes are told by whoever compiles the same texts.
            self.flags.profile.select_from(&recorder);
        }
        recorder.inputs.into_inner()
    }

    /// What of the bundle is on; whether that is what the flags say, or the default in the place of a profile that can't
    /// be used; and what is wrong.
    fn select(&self, files: &[InputFile]) -> (Option<Selection>, bool, Vec<LoadError>) {
        if self.flags.no_embedded {
            return (None, true, Vec::new());
        }
        let (selection, errors) = self.flags.profile.select_from(&Read(files));
        let chosen = selection.is_some();
        let default = || ProfileFlags { profile: None, ..self.flags.profile.clone() }.select_from(&Read(files)).0;
        (selection.or_else(default), chosen, errors)
    }

    /// The path of the profile, unless it is a shipped one.
    fn profile_file(&self) -> Option<String> {
        let name = Some(self.flags.profile.name()).filter(|name| !self.flags.no_embedded && is_profile_file(name));
        name.map(|name| beside("", name))
    }

    /// What the file of the profile turns on.
    fn turned_on(&self, selection: &Selection) -> Vec<Declared> {
        let Some(file) = self.profile_file() else { return Vec::new() };
        let binding = |policy: Embedded, choice: &Choice| Declared {
            file: file.clone(),
            object: format!("the binding {} of {}", choice.binding, policy.name),
        };
        let policies = selection.policies();
        policies.iter().flat_map(|(policy, choices)| choices.iter().map(|choice| binding(*policy, choice))).collect()
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
        let mut inputs = self.read_profile();
        inputs.extend(read(&self.flags.policies, Role::Policies));
        inputs.extend(read(&self.flags.params, Role::Params));
        inputs.extend(read(&self.flags.exemptions, Role::Exemptions));
        inputs.extend(read(&self.definitions.crds, Role::Definitions));
        inputs
    }

    fn compile(&self, files: &[InputFile]) -> Compiled {
        let (bundle, chosen, mut wrong) = self.select(files);
        // Params come last: of two of one name the later counts.
        let policies = manifests(files, Role::Policies).chain(manifests(files, Role::Params)).collect();
        let exemptions = manifests(files, Role::Exemptions).collect();
        let definitions = manifests(files, Role::Definitions).collect();
        let mut declared = declared(files);
        declared.extend(bundle.iter().flat_map(|selection| self.turned_on(selection)));
        let version = self.flags.kubernetes_version;
        let (set, errors) = Manifests { bundle, policies, exemptions, definitions, version, probes: false }.compile();
        wrong.extend(errors);
        let unreadable = files.iter().filter_map(|input| {
            let why = input.text.as_ref().err()?;
            Some(FileError { file: input.file.clone(), message: format!("{}: {why}", input.file) })
        });
        let wrong = wrong.into_iter().map(|error| FileError { message: error.to_string(), file: error.at.file });
        let mut errors: Vec<FileError> = unreadable.chain(wrong).collect();
        errors.extend(self.empty(files, &declared, &errors));
        Compiled { set, chosen, declared, errors }
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }
}

/// The files of a profile as they are now, and a record of what was read.
#[derive(Default)]
struct Recorder {
    inputs: RefCell<Vec<InputFile>>,
}

impl ProfileFiles for Recorder {
    fn read(&self, from: &str, path: &str) -> Result<Manifest, String> {
        let path = beside(from, path);
        let found = read(&[PathBuf::from(&path)], Role::Profile);
        let text = match &*found {
            [only] => only.text.clone(),
            _ => Err("not a file".to_owned()),
        };
        let mut inputs = self.inputs.borrow_mut();
        if !inputs.iter().any(|input| input.file == path) {
            inputs.push(InputFile { file: path.clone(), role: Role::Profile, root: path.clone(), text: text.clone() });
        }
        text.map(|text| Manifest::new(path, &*text))
    }
}

/// The files of a profile as they were read.
struct Read<'f>(&'f [InputFile]);

impl ProfileFiles for Read<'_> {
    fn read(&self, from: &str, path: &str) -> Result<Manifest, String> {
        let path = beside(from, path);
        let input = self.0.iter().find(|input| input.role == Role::Profile && input.file == path);
        let text =
            input.map_or(Err("it can't be read".to_owned()), |input| input.text.as_deref().map_err(Clone::clone));
        text.map(|text| Manifest::new(path, text))
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
