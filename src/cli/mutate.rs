//! `portcullis mutate`: manifests in, what admission would store out.

use std::io::Write;

use similar::{ChangeTag, TextDiff};

use crate::admission::acceptable::{incomplete, undecodable};
use crate::admission::offline::without_namespace;
use crate::audit;
use crate::defaulting::{carry_over, default};
use crate::engine::{Decision, PolicySet, Request, expand};
use crate::json::{self, Arena, Value, yaml};
use crate::manifests::{Known, Manifest, ObjectId, Unbuilt, Unreadable};
use crate::style::{BAD, FAINT, GOOD, STRONG};
use crate::visible;

use super::input::{Input, RenderFlags, not_read};
use super::load::DefinitionFlags;
use super::output::{self, Output};
use super::{Outcome, PolicyFlags};

/// Prints what admission would store
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Mutations concern pods when they are created, never the workloads that Git declares: a Deployment is printed as it is.
--effective-pods prints the pods that workloads will create, after mutation.

Policies see objects with the defaults that the API server sets, unless --no-defaulting is given. What is printed is the
object as it is written, with the changes that policies make; the API server adds the defaults again.

Custom resources are known by the CustomResourceDefinitions that --crds names or that are among the input: by their schemas
apply configurations are merged, as in the API server. Without one, they merge field by field, and lists are refused.

Examples:
  portcullis mutate pod.yaml                             what would be stored
  portcullis mutate --effective-pods --diff manifests/   what pods will be
  kubectl kustomize . | portcullis mutate --effective-pods --patch -
  portcullis mutate --render --effective-pods apps/      kustomizations and charts as they are built

In directories, what a .portcullisignore or --exclude names is passed over, as by portcullis audit.

Exit codes: 0 done, 2 bad usage, an input without a document, or input that can't be read, decoded or built; what can be
is printed all the same.")]
pub struct Args {
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    render: RenderFlags,

    /// Prints the pods that workloads will create, in place of the workloads
    #[arg(long)]
    effective_pods: bool,

    /// Prints what changes, as a unified diff
    #[arg(long, conflicts_with = "patch")]
    diff: bool,

    /// Prints what changes, as one line of JSON per changed object with an RFC 6902 patch
    #[arg(long)]
    patch: bool,

    #[command(flatten)]
    policies: PolicyFlags,

    #[command(flatten)]
    definitions: DefinitionFlags,
}

/// Runs the command.
///
/// # Errors
/// Bad policies, input that can't be read, output that can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut policies = args.policies.load(&args.definitions)?;
    let (mut texts, mut unreadable) = args.input.read()?;
    let built = args.render.build(&mut texts, &args.input)?;
    let arena = Arena::new();
    let collection = args.input.collect(&arena, &texts, built.as_ref(), &unreadable)?;
    for Unbuilt { file, changes, .. } in &collection.unbuilt {
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        output::note(&format!("{file} {}: what it makes may differ; --render builds it", changes.join(", ")));
    }
    collection.manifests.iter().for_each(|manifest| policies.learn(manifest.object));
    unreadable.extend(collection.unreadable.iter().cloned());

    let mut out = Output::open(None)?;
    for manifest in &collection.manifests {
        if let Some(refusal) = undecodable(manifest.object) {
            let message = format!("{}: {}", manifest.id, refusal.message);
            unreadable.push(Unreadable { source: manifest.source.clone(), message });
            continue;
        }
        let arena = Arena::new();
        let review = Review { arena: &arena, manifest, known: &collection.known, policies: &policies };
        let stored = review.stored(args);
        if let Some(denied) = &stored.denied {
            output::note(&format!("{} would be refused: {denied}", stored.title()));
        }
        args.write(&stored, &manifest.source.file, &mut out)?;
    }
    out.finish()?;
    match unreadable.first() {
        None => Ok(Outcome::Clean),
        Some(unreadable) => Err(not_read(unreadable)),
    }
}

/// One manifest in review.
#[derive(Clone, Copy)]
struct Review<'a> {
    arena: &'a Arena,
    manifest: &'a Manifest<'a>,
    known: &'a Known,
    policies: &'a PolicySet,
}

/// An object before and after admission.
struct Stored<'a> {
    /// The object that the input declares.
    id: &'a ObjectId,
    /// Whether it is the pod that the declared object will create, instead of that object.
    is_effective_pod: bool,
    before: Value<'a>,
    after: Value<'a>,
    denied: Option<String>,
}

impl<'a> Review<'a> {
    fn stored(self, args: &Args) -> Stored<'a> {
        let options = args.input.options();
        let request = audit::create_request(self.arena, self.manifest, &options);
        let context = options.context(self.arena, self.known);
        let written = Request { object: self.manifest.object, ..request };
        let pod = expand(self.arena, &written);
        if let Some(pod) = pod.as_ref().filter(|_| args.effective_pods) {
            let mut created = expand(self.arena, &request).map_or(pod.request, |pod| pod.request);
            if options.defaulting {
                created.object = default(self.arena, created.kind, created.object);
            }
            let decision = self.policies.review(&created, &context);
            return self.compare(true, pod.request.object, created.object, &decision);
        }
        let decision = self.policies.review(&request, &context);
        if pod.is_some() && decision.mutated.is_none() && !args.effective_pods {
            output::note(&format!(
                "{} is printed as it is: mutations concern its pods, which --effective-pods prints",
                self.manifest.id
            ));
        }
        self.compare(false, written.object, request.object, &decision)
    }

    /// The object as it is written, and the same after the changes to `reviewed`, which has its defaults. The namespace
    /// that the input left out is left out again.
    fn compare(
        self,
        is_effective_pod: bool,
        before: Value<'a>,
        reviewed: Value<'a>,
        decision: &Decision<'a>,
    ) -> Stored<'a> {
        let after = decision.mutated.as_ref().map(|mutated| mutated.object);
        let after = after.map_or(before, |after| carry_over(self.arena, reviewed, after, before));
        let written = self.manifest.written.at(&["metadata", "namespace"]).is_some();
        let shown = |object| if written { object } else { without_namespace(self.arena, object) };
        // The API server refuses what is incomplete before it asks validating policies.
        let denied = incomplete(after).map(|refusal| refusal.message);
        let denied = denied.or_else(|| decision.denied.as_ref().map(|denied| denied.message.clone()));
        Stored { id: &self.manifest.id, is_effective_pod, before: shown(before), after: shown(after), denied }
    }
}

impl Stored<'_> {
    fn title(&self) -> String {
        if self.is_effective_pod { format!("the pods of {}", self.id) } else { self.id.to_string() }
    }
}

impl Args {
    fn write(&self, stored: &Stored<'_>, file: &str, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.patch {
            return write_patch(stored, out);
        }
        if self.diff {
            return write_diff(stored, file, out);
        }
        writeln!(out, "---")?;
        if stored.is_effective_pod {
            writeln!(out, "# {}", visible::line(&stored.title()))?;
        }
        out.write_all(yaml::to_yaml(stored.after).as_bytes())?;
        Ok(())
    }
}

fn write_patch(stored: &Stored<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let patch = json::diff(stored.before, stored.after);
    if patch.is_empty() {
        return Ok(());
    }
    let ObjectId { api_version, kind, namespace, name } = stored.id;
    let object = serde_json::json!({"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name});
    let is_pod = stored.is_effective_pod;
    let line = format!("{{\"object\":{object},\"effectivePod\":{is_pod},\"patch\":{patch}}}");
    writeln!(out, "{}", visible::json(&line))?;
    Ok(())
}

fn write_diff(stored: &Stored<'_>, file: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let (before, after) = (yaml::to_yaml(stored.before), yaml::to_yaml(stored.after));
    if before == after {
        return Ok(());
    }
    writeln!(out, "{STRONG}--- {}  {}{STRONG:#}", visible::line(file), visible::line(&stored.title()))?;
    writeln!(out, "{STRONG}+++ after admission{STRONG:#}")?;
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        writeln!(out, "{FAINT}{}{FAINT:#}", hunk.header().to_string().trim_end())?;
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            match change.tag() {
                ChangeTag::Delete => writeln!(out, "{BAD}-{line}{BAD:#}")?,
                ChangeTag::Insert => writeln!(out, "{GOOD}+{line}{GOOD:#}")?,
                ChangeTag::Equal => writeln!(out, " {line}")?,
            }
        }
    }
    Ok(())
}
