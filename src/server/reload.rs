//! Policies in use, and their replacement when files change. A file that can't be used any more never unloads what it
//! said before: its last good text stays in use, and every place that an operator looks at says so. What is gone from
//! files that can be used stays until that is confirmed; see `confirm`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Guard};

use crate::cluster::Cluster;
use crate::engine::PolicySet;
use crate::policy::Exemptions;

use super::confirm::{Doubt, Found, Look, Past, place, volume};
use super::metrics::Metrics;
use super::tls::unix_seconds;

/// Where policies come from. Implemented by whoever knows about flags and directories.
pub trait PolicySource: fmt::Debug + Send + Sync + 'static {
    /// Reads every file, without judging what is in it. The same files in the same order, as long as they exist.
    fn read(&self) -> Vec<InputFile>;

    /// Compiles what the files say. What is wrong with one file keeps nothing from being loaded from the others.
    fn compile(&self, files: &[InputFile]) -> Compiled;

    /// Whether no policies, and policies without a binding, are meant.
    fn allow_empty(&self) -> bool;
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
    /// A profile that says what of the bundle is on, or one that it extends.
    Profile,
}

/// One file that was read, or that should have been.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its path, as messages name it.
    pub file: String,
    /// What it contributes.
    pub role: Role,
    /// The path that a flag names: the file, or a directory around it.
    pub root: String,
    /// Its text, or why it can't be read. A directory that can't be listed is a file that can't be read, too.
    pub text: Result<Arc<str>, String>,
}

/// What files came to.
#[derive(Debug)]
pub struct Compiled {
    /// The policies that can be used.
    pub set: PolicySet,
    /// Whether the profile could be used; otherwise the default one takes its place.
    pub chosen: bool,
    /// What the files declare that can be parsed, exemptions left out.
    pub declared: Vec<Declared>,
    /// What is wrong.
    pub errors: Vec<FileError>,
}

/// An object, and the file that declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The file, named as in [`InputFile::file`].
    pub file: String,
    /// Kind, namespace and name.
    pub object: String,
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
    /// Whether there ever were policies that all had a binding.
    was_complete: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    fingerprint: u64,
    /// The last text of each file that had nothing wrong with it.
    good: HashMap<(Role, String), Good>,
    /// What the files in force declare.
    in_force: Vec<Declared>,
    /// Files from which something is gone that the next look may confirm.
    unconfirmed: HashMap<String, Found>,
    /// The exemptions in use that were told to have expired, by name and end.
    told_expired: HashSet<String>,
    errors: Arc<[String]>,
    /// Whether the profile in force is the one that was asked for.
    chosen: bool,
}

#[derive(Clone, Debug)]
struct Good {
    text: Arc<str>,
    root: String,
    /// The version of the volume that it was read from.
    volume: Option<PathBuf>,
}

/// The state of the policies, for health.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Policies in use.
    pub policies: usize,
    /// Those among them that no binding names, so that they do nothing.
    pub unbound: Vec<String>,
    /// Whether the profile could be used; otherwise the default one is in force.
    pub chosen: bool,
    /// What is wrong with the files.
    pub errors: Arc<[String]>,
    /// Whether requests should come here. Once all policies had bindings a server stays ready: what its files lose
    /// later is the same for all replicas, and no reason for all of them to leave at once.
    pub ready: bool,
}

/// How many expired exemptions a log line names.
const MAX_NAMED: usize = 20;

/// Editors and volume updates may need more than one write; what is read twice alike is taken as complete.
const SETTLE: Duration = Duration::from_millis(50);

impl Policies {
    /// Loads the policies for the first time. Errors are reported, not returned: the policies without errors are used.
    pub fn load(source: Box<dyn PolicySource>, cluster: Option<Arc<Cluster>>, metrics: &Metrics) -> Self {
        let files = source.read();
        let fingerprint = fingerprint(&files, &BTreeSet::new());
        let compiled = source.compile(&files);
        let policies = Self {
            source,
            cluster,
            set: ArcSwap::from_pointee(PolicySet::default()),
            was_complete: AtomicBool::new(false),
            state: Mutex::new(State {
                fingerprint,
                good: HashMap::new(),
                in_force: compiled.declared.clone(),
                unconfirmed: HashMap::new(),
                told_expired: HashSet::new(),
                errors: Arc::from([]),
                chosen: compiled.chosen,
            }),
        };
        for error in &compiled.errors {
            tracing::error!(file = error.file, error = error.message, "policy file has an error");
        }
        let mut state = policies.state();
        state.remember(&files, &compiled.errors);
        state.errors = compiled.errors.iter().map(|error| error.message.clone()).collect();
        policies.publish(compiled, &state.errors, metrics);
        policies.with_exemptions(|exemptions| state.tell_expired(exemptions, SystemTime::now()));
        drop(state);
        policies
    }

    /// The policies in use.
    pub fn current(&self) -> Guard<Arc<PolicySet>> {
        self.set.load()
    }

    /// Looks at the exemptions in use, those of the cluster among them.
    pub fn with_exemptions<T>(&self, look: impl FnOnce(&Exemptions) -> T) -> T {
        match &self.cluster {
            Some(cluster) => look(&cluster.exemptions()),
            None => look(self.set.load().exemptions()),
        }
    }

    /// How many policies are in use, and what is wrong with them and their files.
    pub fn summary(&self) -> Summary {
        let (errors, chosen) = {
            let state = self.state();
            (Arc::clone(&state.errors), state.chosen)
        };
        let set = self.set.load();
        let allowed = self.source.allow_empty();
        Summary {
            policies: set.policies().len(),
            unbound: if allowed { Vec::new() } else { unbound(&set).map(str::to_owned).collect() },
            chosen,
            errors,
            ready: allowed || self.was_complete.load(Ordering::Relaxed),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files and uses what they say if they changed. Takes as long as compiling all policies.
    pub fn refresh(&self, metrics: &Metrics) {
        let (before, waits, known) = {
            let mut state = self.state();
            self.with_exemptions(|exemptions| state.tell_expired(exemptions, SystemTime::now()));
            (state.fingerprint, !state.unconfirmed.is_empty(), state.known())
        };
        let first = fingerprint(&self.source.read(), &known);
        if first == before && !waits {
            return;
        }
        std::thread::sleep(SETTLE);
        let files = self.source.read();
        if fingerprint(&files, &known) != first {
            // Still being written; the next look will see it complete.
            return;
        }
        let mut state = self.state();
        let (compiled, errors) = self.compile_with_fallback(&files, &mut state);
        state.fingerprint = fingerprint(&files, &state.known());
        state.errors = errors.iter().map(|error| error.message.clone()).collect();
        state.chosen = compiled.chosen;
        let result = if errors.is_empty() { "success" } else { "error" };
        metrics.policy_reloads.with_label_values(&[result]).inc();
        let policies = compiled.set.policies().len();
        self.publish(compiled, &state.errors, metrics);
        state.told_expired.clear();
        self.with_exemptions(|exemptions| state.tell_expired(exemptions, SystemTime::now()));
        if errors.is_empty() {
            tracing::info!(policies, "policies reloaded");
        } else {
            tracing::error!(policies, errors = errors.len(), "policies reloaded with errors; see above");
        }
    }

    /// Compiles `files`. Where a file has errors and had none before, what it said before takes its place; so it does
    /// where a file lacks what was in force and doesn't confirm that this is meant.
    fn compile_with_fallback(&self, files: &[InputFile], state: &mut State) -> (Compiled, Vec<FileError>) {
        let mut compiled = self.source.compile(files);
        let mut errors = std::mem::take(&mut compiled.errors);
        let mut fallback = files.to_vec();
        let kept = state.replace_broken(&mut fallback, &errors);
        for error in &mut errors {
            if kept.iter().any(|file| *file == error.file || is_below(file, &error.file)) {
                error.message.push_str(" (the last good version of the file stays in use)");
            } else if files
                .iter()
                .any(|input| input.role == Role::Exemptions && input.file == error.file && has_ended(input))
            {
                error.message.push_str(" (its exemptions have ended)");
            }
        }
        if !kept.is_empty() {
            compiled = self.source.compile(&fallback);
        }
        let doubts = self.doubts(&fallback, &compiled, state);
        state.unconfirmed.clear();
        let mut restored = false;
        for (file, (objects, doubt)) in doubts {
            restored |= state.restore(&file, &mut fallback);
            let message = format!("{file}: {objects}, which was in force, is gone: {doubt} (it stays in force)");
            if let Doubt::Unconfirmed(found) = doubt {
                state.unconfirmed.insert(file.clone(), found);
            }
            errors.push(FileError { file, message });
        }
        if restored {
            compiled = self.source.compile(&fallback);
        }
        for error in &errors {
            tracing::error!(file = error.file, error = error.message, "policy file has an error");
        }
        // What was good stays known for as long as its file is broken.
        state.good.retain(|(role, file), _| fallback.iter().any(|input| input.file == *file && input.role == *role));
        state.remember(files, &errors);
        state.in_force.clone_from(&compiled.declared);
        (compiled, errors)
    }

    /// What `compiled` lacks of what is in force, by file, and why it isn't believed to be meant.
    fn doubts(&self, files: &[InputFile], compiled: &Compiled, state: &State) -> BTreeMap<String, (String, Doubt)> {
        let there: HashSet<&str> = compiled.declared.iter().map(|declared| declared.object.as_str()).collect();
        let mut gone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for declared in state.in_force.iter().filter(|declared| !there.contains(declared.object.as_str())) {
            gone.entry(&declared.file).or_default().push(&declared.object);
        }
        let allow_empty = self.source.allow_empty();
        let look = Look { files, declared: &compiled.declared, allow_empty };
        let nothing_left = !allow_empty && compiled.set.policies().is_empty() && !self.set.load().policies().is_empty();
        let mut doubts = BTreeMap::new();
        for (file, objects) in gone {
            // What never was good can't be restored.
            let Some(good) = state.good.iter().find_map(|((_, name), good)| (name == file).then_some(good)) else {
                continue;
            };
            let past =
                Past { file, root: &good.root, volume: good.volume.as_deref(), found: state.unconfirmed.get(file) };
            let confirmed = match look.confirms(past) {
                Ok(()) if nothing_left => Err(Doubt::NothingLeft),
                confirmed => confirmed,
            };
            let named = match &*objects {
                [first] => (*first).to_owned(),
                [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
                [] => String::new(),
            };
            match confirmed {
                Ok(()) => tracing::info!(file, gone = named, "no longer in force, as the file confirms"),
                Err(doubt) => {
                    doubts.insert(file.to_owned(), (named, doubt));
                }
            }
        }
        doubts
    }

    fn publish(&self, compiled: Compiled, errors: &[String], metrics: &Metrics) {
        let Compiled { set, chosen, .. } = compiled;
        metrics.use_policies(&set);
        metrics.policies_unbound.set(i64::try_from(unbound(&set).count()).unwrap_or(i64::MAX));
        if !self.source.allow_empty() {
            for policy in unbound(&set) {
                tracing::warn!(
                    policy,
                    "no binding names this policy, so it does nothing; --allow-empty says that it is meant"
                );
            }
            if set.policies().is_empty() {
                tracing::error!("there are no policies, so everything is allowed; --allow-empty says that it is meant");
            }
        }
        if chosen && !set.policies().is_empty() && unbound(&set).next().is_none() {
            self.was_complete.store(true, Ordering::Relaxed);
        }
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
    /// Warns of the exemptions that have expired at `now` and weren't told before.
    fn tell_expired(&mut self, exemptions: &Exemptions, now: SystemTime) {
        let told = std::mem::take(&mut self.told_expired);
        let expired = exemptions.all().iter().filter(|exemption| exemption.has_expired(now));
        let mut news = expired.filter(|exemption| {
            // One that gets a new end and reaches that, too, is news.
            let ended = format!("{}, {}", exemption.name, exemption.expires_text);
            let is_new = !told.contains(&ended);
            self.told_expired.insert(ended);
            is_new
        });
        let named: Vec<_> = news
            .by_ref()
            .take(MAX_NAMED)
            .map(|exemption| format!("{} ({}, until {})", exemption.name, exemption.source, exemption.expires_text))
            .collect();
        let more = news.count();
        if !named.is_empty() {
            tracing::warn!(
                exemptions = named.join("; "),
                more,
                "exemptions have expired, so what they set aside is judged again: give them a new end, or remove them"
            );
        }
    }

    /// The files that were good when they were last read.
    fn known(&self) -> BTreeSet<String> {
        self.good.keys().map(|(_, file)| file.clone()).collect()
    }

    /// Remembers the text of each file that has no error.
    fn remember(&mut self, files: &[InputFile], errors: &[FileError]) {
        for input in files {
            if let Ok(text) = &input.text
                && !errors.iter().any(|error| error.file == input.file)
            {
                let good = Good { text: Arc::clone(text), root: input.root.clone(), volume: volume(&input.file) };
                self.good.insert((input.role, input.file.clone()), good);
            }
        }
    }

    /// Puts the last good texts of files with errors, and of files below a directory that can't be read, in their
    /// places; returns those files.
    fn replace_broken(&self, files: &mut Vec<InputFile>, errors: &[FileError]) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        let unreadable: Vec<String> =
            files.iter().filter(|input| input.text.is_err()).map(|input| input.file.clone()).collect();
        for input in files.iter_mut().filter(|input| !has_ended(input)) {
            let wrong = errors.iter().any(|error| error.file == input.file);
            if let Some(good) = self.good.get(&(input.role, input.file.clone())).filter(|_| wrong) {
                input.text = Ok(Arc::clone(&good.text));
                kept.push(input.file.clone());
            }
        }
        let profile_is_wrong = kept.iter().any(|file| self.is_profile(file));
        for ((role, file), good) in &self.good {
            let input = good.input(*role, file);
            // What the last good profile extends may be named nowhere any more.
            let was_extended = profile_is_wrong && *role == Role::Profile;
            if (was_extended || unreadable.iter().any(|directory| is_below(file, directory)))
                && !files.iter().any(|other| other.file == *file && other.role == *role)
                && !has_ended(&input)
            {
                kept.push(file.clone());
                files.push(input);
            }
        }
        kept
    }

    fn is_profile(&self, file: &str) -> bool {
        self.good.contains_key(&(Role::Profile, file.to_owned()))
    }

    /// Puts the last good text of `file` in its place; returns whether there is one. What a profile declares may come
    /// from those that it extends, so they go with it.
    fn restore(&self, file: &str, files: &mut Vec<InputFile>) -> bool {
        let mut restored = false;
        let is_profile = self.is_profile(file);
        for ((role, name), good) in &self.good {
            if name != file && !(is_profile && *role == Role::Profile) {
                continue;
            }
            restored = true;
            match files.iter_mut().find(|input| input.file == *name && input.role == *role) {
                Some(input) => input.text = Ok(Arc::clone(&good.text)),
                None => files.push(good.input(*role, name)),
            }
        }
        restored
    }
}

impl Good {
    fn input(&self, role: Role, file: &str) -> InputFile {
        InputFile { file: file.to_owned(), role, root: self.root.clone(), text: Ok(Arc::clone(&self.text)) }
    }
}

/// Whether these are exemptions whose file is gone: they end, for to go on they would have to open the gate.
fn has_ended(input: &InputFile) -> bool {
    input.role == Role::Exemptions && !Path::new(&input.file).is_file()
}

/// The policies that no binding names.
fn unbound(set: &PolicySet) -> impl Iterator<Item = &str> {
    set.policies().iter().filter(|policy| policy.bindings.is_empty()).map(|policy| policy.name.as_str())
}

fn is_below(file: &str, directory: &str) -> bool {
    Path::new(file).starts_with(directory)
}

/// What was read, the versions of the volumes that it was read from, and what is in the places of those `known` files
/// that were not read.
fn fingerprint(files: &[InputFile], known: &BTreeSet<String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for input in files {
        (&input.file, input.role, &input.text, volume(&input.file)).hash(&mut hasher);
    }
    for file in known.iter().filter(|file| !files.iter().any(|input| input.file == **file)) {
        (file, place(file), volume(file)).hash(&mut hasher);
    }
    hasher.finish()
}
