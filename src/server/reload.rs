//! Policies in use, and their replacement when files change. A file that can't be used any more never unloads what it
//! said before: its last good text stays in use, and every place that an operator looks at says so.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Guard};

use crate::cluster::Cluster;
use crate::engine::PolicySet;

use super::metrics::Metrics;
use super::tls::unix_seconds;

/// Where policies come from. Implemented by whoever knows about flags and directories.
pub trait PolicySource: fmt::Debug + Send + Sync + 'static {
    /// Reads every file, without judging what is in it. The same files in the same order, as long as they exist.
    fn read(&self) -> Vec<InputFile>;

    /// Compiles what the files say. What is wrong with one file keeps nothing from being loaded from the others.
    fn compile(&self, files: &[InputFile]) -> Compiled;
}

/// What a file contributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Policies, bindings, and params beside them.
    Policies,
    /// Params that replace those of earlier files.
    Params,
    /// Exemptions.
    Exemptions,
    /// CustomResourceDefinitions.
    Definitions,
}

/// One file that was read, or that should have been.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its path, as messages name it.
    pub file: String,
    /// What it contributes.
    pub role: Role,
    /// Its text, or why it can't be read. A directory that can't be listed is a file that can't be read, too.
    pub text: Result<Arc<str>, String>,
}

/// What files came to.
#[derive(Debug)]
pub struct Compiled {
    /// The policies that can be used.
    pub set: PolicySet,
    /// What is wrong.
    pub errors: Vec<FileError>,
}

/// Something wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file, named as in [`InputFile::file`].
    pub file: String,
    /// The whole message, with file, line and field.
    pub message: String,
}

/// The policies in use.
#[derive(Debug)]
pub struct Policies {
    source: Box<dyn PolicySource>,
    /// Where the params of the policies are watched.
    cluster: Option<Arc<Cluster>>,
    set: ArcSwap<PolicySet>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    fingerprint: u64,
    /// The last text of each file that had nothing wrong with it.
    good: HashMap<(Role, String), Arc<str>>,
    errors: Arc<[String]>,
}

/// Editors and volume updates may need more than one write; what is read twice alike is taken as complete.
const SETTLE: Duration = Duration::from_millis(50);

impl Policies {
    /// Loads the policies for the first time. Errors are reported, not returned: the policies without errors are used.
    pub fn load(source: Box<dyn PolicySource>, cluster: Option<Arc<Cluster>>, metrics: &Metrics) -> Self {
        let files = source.read();
        let fingerprint = fingerprint(&files);
        let compiled = source.compile(&files);
        let policies = Self {
            source,
            cluster,
            set: ArcSwap::from_pointee(PolicySet::default()),
            state: Mutex::new(State { fingerprint, good: HashMap::new(), errors: Arc::from([]) }),
        };
        for error in &compiled.errors {
            tracing::error!(file = error.file, error = error.message, "policy file has an error");
        }
        let mut state = policies.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remember(&files, &compiled.errors);
        state.errors = compiled.errors.into_iter().map(|error| error.message).collect();
        policies.publish(compiled.set, &state.errors, metrics);
        drop(state);
        policies
    }

    /// The policies in use.
    pub fn current(&self) -> Guard<Arc<PolicySet>> {
        self.set.load()
    }

    /// How many policies are in use, and what is wrong with the files.
    pub fn summary(&self) -> (usize, Arc<[String]>) {
        let errors = Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).errors);
        (self.set.load().policies().len(), errors)
    }

    /// Reads the files and uses what they say if they changed. Takes as long as compiling all policies.
    pub fn refresh(&self, metrics: &Metrics) {
        let before = self.state.lock().unwrap_or_else(PoisonError::into_inner).fingerprint;
        let first = self.source.read();
        if fingerprint(&first) == before {
            return;
        }
        std::thread::sleep(SETTLE);
        let files = self.source.read();
        let now = fingerprint(&files);
        if now != fingerprint(&first) {
            // Still being written; the next look will see it complete.
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fingerprint = now;
        let (set, errors) = self.compile_with_fallback(files, &mut state);
        state.errors = errors.iter().map(|error| error.message.clone()).collect();
        let result = if errors.is_empty() { "success" } else { "error" };
        metrics.policy_reloads.with_label_values(&[result]).inc();
        let policies = set.policies().len();
        self.publish(set, &state.errors, metrics);
        if errors.is_empty() {
            tracing::info!(policies, "policies reloaded");
        } else {
            tracing::error!(policies, errors = errors.len(), "policies reloaded with errors; see above");
        }
    }

    /// Compiles `files`; where a file has errors and had none before, what it said before takes its place.
    fn compile_with_fallback(&self, files: Vec<InputFile>, state: &mut State) -> (PolicySet, Vec<FileError>) {
        let compiled = self.source.compile(&files);
        if compiled.errors.is_empty() {
            state.good.clear();
            state.remember(&files, &[]);
            return (compiled.set, Vec::new());
        }
        let mut fallback = files.clone();
        // A file that can't even be listed any more still counts with what it said.
        let mut kept: Vec<String> = Vec::new();
        for input in &mut fallback {
            let wrong = compiled.errors.iter().any(|error| error.file == input.file);
            if let Some(good) = state.good.get(&(input.role, input.file.clone())).filter(|_| wrong) {
                input.text = Ok(Arc::clone(good));
                kept.push(input.file.clone());
            }
        }
        for ((role, file), text) in &state.good {
            let below_unreadable = files.iter().any(|input| input.text.is_err() && is_below(file, &input.file));
            if below_unreadable && !fallback.iter().any(|input| input.file == *file && input.role == *role) {
                fallback.push(InputFile { file: file.clone(), role: *role, text: Ok(Arc::clone(text)) });
                kept.push(file.clone());
            }
        }
        let mut errors = compiled.errors;
        for error in &mut errors {
            if kept.iter().any(|file| *file == error.file || is_below(file, &error.file)) {
                error.message.push_str(" (the last good version of the file stays in use)");
            }
            tracing::error!(file = error.file, error = error.message, "policy file has an error");
        }
        let set = if kept.is_empty() { compiled.set } else { self.source.compile(&fallback).set };
        // What was good stays known for as long as its file is broken.
        state.good.retain(|(role, file), _| fallback.iter().any(|input| input.file == *file && input.role == *role));
        state.remember(&files, &errors);
        (set, errors)
    }

    fn publish(&self, set: PolicySet, errors: &[String], metrics: &Metrics) {
        metrics.use_policies(&set);
        metrics.policy_load_errors.set(i64::try_from(errors.len()).unwrap_or(i64::MAX));
        if errors.is_empty() {
            metrics.policy_last_success.set(unix_seconds(SystemTime::now()));
        }
        if let Some(cluster) = &self.cluster {
            cluster.use_policies(&set);
        }
        self.set.store(Arc::new(set));
    }
}

impl State {
    /// Remembers the text of each file that has no error.
    fn remember(&mut self, files: &[InputFile], errors: &[FileError]) {
        for input in files {
            if let Ok(text) = &input.text
                && !errors.iter().any(|error| error.file == input.file)
            {
                self.good.insert((input.role, input.file.clone()), Arc::clone(text));
            }
        }
    }
}

fn is_below(file: &str, directory: &str) -> bool {
    std::path::Path::new(file).starts_with(directory)
}

fn fingerprint(files: &[InputFile]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for input in files {
        (&input.file, input.role, &input.text).hash(&mut hasher);
    }
    hasher.finish()
}
