//! Profiles: what they turn on, what is wrong with them, and bindings that take the place of shipped ones.

use std::collections::BTreeMap;

use super::super::model::ValidationAction::{Audit, Warn};
use super::super::{
    LoadedPolicies, Manifest, ProfileFiles, Selection, embedded, load_profile, load_selected, profiles,
};
use super::{MINOR, texts};

/// Bindings of the bundle that the default profile leaves off, and why.
const OPT_IN: [(&str, &str); 7] = [
    ("backup-required", "what marks a volume for the backup differs from one backup to the next"),
    ("config-on-pvc", "that configuration lies in /config is a custom of media servers"),
    ("images-locked", "it needs a lock file, and somebody who keeps that up to date"),
    ("metrics-discoverable", "which services have metrics is for the cluster to say"),
    ("resource-defaults", "what a container may take depends on the nodes"),
    ("service-account-token", "a pod that asks the API server by the default account would lose its way to it"),
    ("vpn-required", "download clients and their VPN are a media server's"),
];

/// Files by their path.
struct Files(BTreeMap<&'static str, String>);

impl ProfileFiles for Files {
    fn read(&self, from: &str, path: &str) -> Result<Manifest, String> {
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("{folder}/{}", path.trim_start_matches("./")).trim_start_matches('/').to_owned();
        let text = self.0.get(path.as_str()).ok_or("no such file")?;
        Ok(Manifest::new(path, text.clone()))
    }
}

fn profile(spec: &str) -> String {
    format!("apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {{name: own}}\nspec:\n{spec}")
}

/// What the profile `own.yaml` with this spec selects, and what is wrong with it.
fn select(spec: &str) -> (Option<Selection>, Vec<String>) {
    select_among(&[("own.yaml", &profile(spec))])
}

fn select_among(files: &[(&'static str, &str)]) -> (Option<Selection>, Vec<String>) {
    let files = Files(files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect());
    let (selection, errors) = load_profile("own.yaml", &files);
    (selection, texts(&errors))
}

fn shipped(name: &str) -> Selection {
    let (selection, errors) = load_profile(name, &Files(BTreeMap::new()));
    assert_eq!(texts(&errors), [] as [&str; 0], "{name}");
    selection.expect(name)
}

/// The bindings that are on, as `policy/binding actions`.
fn on(selection: &Selection) -> Vec<String> {
    let text = |policy: &str, choice: &super::super::Choice| {
        let actions = choice.actions.as_ref().map(|actions| format!(" {actions:?}")).unwrap_or_default();
        format!("{policy}/{}{actions}", choice.binding)
    };
    let policies = selection.policies();
    policies.iter().flat_map(|(policy, choices)| choices.iter().map(|choice| text(policy.name, choice))).collect()
}

fn names(loaded: &LoadedPolicies) -> Vec<&str> {
    loaded.policies.iter().map(|policy| policy.name.as_str()).collect()
}

fn binding(name: &str, policy: &str, actions: &str) -> Manifest {
    let text = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: {name}}}\n\
         spec: {{policyName: {policy}, validationActions: [{actions}]}}\n"
    );
    Manifest::new("mine.yaml", text)
}

#[test]
fn the_shipped_profiles_are_right_and_load() {
    let names: Vec<_> = profiles().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["baseline", "media-server", "restricted"]);
    for name in names {
        let selection = shipped(name);
        assert_eq!(selection.profile(), name);
        let loaded = load_selected(&selection, &[], MINOR);
        assert_eq!(texts(&loaded.errors), [] as [&str; 0], "{name}");
        assert_eq!(loaded.policies.len(), selection.policies().len(), "{name}");
        assert!(loaded.policies.iter().all(|policy| !policy.bindings.is_empty()), "{name}");
    }
}

#[test]
fn every_binding_of_the_bundle_is_on_by_default_or_off_for_a_reason() {
    let baseline = shipped("baseline");
    let all = embedded();
    let bindings =
        all.iter().flat_map(|policy| policy.bindings().into_iter().map(|binding| (policy.name, binding.name)));
    for (policy, binding) in bindings {
        let is_on = baseline.choices(policy).iter().any(|choice| choice.binding == binding);
        let is_opt_in = OPT_IN.iter().any(|(name, reason)| *name == binding && !reason.is_empty());
        assert!(is_on != is_opt_in, "{policy}/{binding} is on: {is_on}, among those that are off: {is_opt_in}");
    }
}

#[test]
fn a_profile_turns_bindings_on_with_their_own_actions_or_others() {
    let (selection, errors) = select(
        "  bindings:\n  - policy: require-pinned-images\n  - {policy: require-pinned-images, binding: require-digest, \
         validationActions: [Warn, Audit]}\n  - policy: gpu-device-access\n",
    );
    assert_eq!(errors, [] as [&str; 0]);
    let selection = selection.expect("a profile that is right");
    assert_eq!(
        on(&selection),
        [
            "gpu-device-access/gpu-device-access",
            "require-pinned-images/require-pinned-images",
            "require-pinned-images/require-digest [Warn, Audit]"
        ]
    );
    let loaded = load_selected(&selection, &[], MINOR);
    assert_eq!(names(&loaded), ["gpu-device-access", "require-pinned-images"]);
    let digest = loaded.policies[1].bindings.iter().find(|binding| binding.name == "require-digest");
    assert_eq!(digest.expect("it is on").validation_actions, [Warn, Audit]);
}

#[test]
fn one_binding_can_be_on_without_its_sisters() {
    let (selection, _) = select("  bindings: [{policy: require-pinned-images, binding: require-digest}]\n");
    let loaded = load_selected(&selection.expect("a profile"), &[], MINOR);
    let bindings: Vec<_> = loaded.policies[0].bindings.iter().map(|binding| binding.name.as_str()).collect();
    assert_eq!(bindings, ["require-digest"]);
}

#[test]
fn a_profile_extends_shipped_ones_and_files_beside_it() {
    let files = [
        ("own.yaml", &*profile("  extends: ./team/base.yaml\n  disabled: [gpu-device-access]\n")),
        (
            "team/base.yaml",
            &profile(
                "  extends: strict.yaml\n  bindings:\n  - {policy: pss-baseline-privileged, validationActions: [Audit]}\n",
            ),
        ),
        ("team/strict.yaml", &profile("  extends: restricted\n")),
    ];
    let (selection, errors) = select_among(&files);
    assert_eq!(errors, [] as [&str; 0]);
    let selection = selection.expect("a profile that is right");
    let on = on(&selection);
    assert!(on.contains(&"pss-baseline-privileged/pss-baseline-privileged [Audit]".to_owned()), "{on:?}");
    assert!(on.iter().any(|binding| binding.starts_with("require-pinned-images/")), "{on:?}");
    assert!(!on.iter().any(|binding| binding.starts_with("gpu-device-access/")), "{on:?}");
    assert_eq!(selection.turned_off("gpu-device-access"), Some("profile own"));
}

#[test]
fn a_profile_turns_on_again_what_it_extends_without() {
    let base = profile("  extends: baseline\n  disabled: [gpu-device-access]\n");
    let own = profile("  extends: base.yaml\n  bindings: [{policy: gpu-device-access}]\n");
    let (selection, errors) = select_among(&[("own.yaml", &own), ("base.yaml", &base)]);
    assert_eq!(errors, [] as [&str; 0]);
    let selection = selection.expect("a profile that is right");
    assert_eq!((selection.choices("gpu-device-access").len(), selection.turned_off("gpu-device-access")), (1, None));
}

#[test]
fn rejects_entries_with_their_line_and_keeps_the_others() {
    for (entry, says) in [
        (
            "{policy: require-pined-images}",
            "own.yaml:6: (document 0) Profile/own: spec.bindings[0].policy: Invalid value: \"require-pined-images\": no shipped policy has this name; write require-pinned-images",
        ),
        ("{policy: zzz}", "no shipped policy has this name; portcullis policies list shows them"),
        (
            "{policy: require-pinned-images, binding: require-digests}",
            "spec.bindings[0].binding: Invalid value: \"require-digests\": require-pinned-images has no such binding; write require-digest",
        ),
        (
            "{policy: require-pinned-images, binding: zzz}",
            "require-pinned-images ships with require-pinned-images, require-digest",
        ),
        (
            "{policy: gpu-device-access, validationActions: [Deny]}",
            "spec.bindings[0].validationActions: Forbidden: the policy mutates; leave it out",
        ),
        (
            "{policy: require-pinned-images, validationActions: []}",
            "Required value: at least one validation action is required",
        ),
        (
            "{policy: require-pinned-images, validationActions: [Dney]}",
            "supported values: \"Audit\", \"Deny\", \"Warn\"; write Deny",
        ),
        ("{policy: require-pinned-images, validationActions: [Deny, Warn]}", "must not contain both Deny and Warn"),
        (
            "{policy: pss-baseline-privileged}",
            "own.yaml:7: (document 0) Profile/own: spec.bindings[1]: Duplicate value: \"pss-baseline-privileged\"; leave one of them out",
        ),
        ("{polcy: zzz}", "spec.bindings[0].polcy: unknown field; write policy"),
        ("{binding: zzz}", "spec.bindings[0].policy: Required value"),
    ] {
        let (selection, errors) = select(&format!("  bindings:\n  - {entry}\n  - policy: pss-baseline-privileged\n"));
        assert!(errors.iter().any(|error| error.contains(says)), "{entry}: {errors:#?}");
        let on = on(&selection.expect("the rest is right"));
        assert!(on.contains(&"pss-baseline-privileged/pss-baseline-privileged".to_owned()), "{entry}: {on:?}");
    }
}

#[test]
fn rejects_profiles_that_cannot_be_used() {
    for (text, says) in [
        (
            profile("  extends: basline\n"),
            "own.yaml:5: (document 0) Profile/own: spec.extends: Invalid value: \"basline\": no profile is called basline; write baseline: there are baseline, media-server, restricted",
        ),
        (profile("  extends: ./own.yaml\n"), "more than 8 profiles extend each other; see whether one extends itself"),
        (profile("  extends: ./absent.yaml\n"), "spec.extends: Invalid value: \"./absent.yaml\": no such file"),
        ("kind: [".to_owned(), "own.yaml:1: (document 0): not valid YAML"),
        (String::new(), "own.yaml:1: (document 0) Profile: a profile's file holds one object, not 0"),
        (
            format!("{0}---\n{0}", profile("  extends: baseline\n")),
            "own.yaml:7: (document 1) Profile: a profile's file holds one object, not 2",
        ),
        (profile("  extends: baseline\n").replace("v1alpha1", "v1"), "write apiVersion: portcullis.dev/v1alpha1"),
        (
            profile("  extends: baseline\n").replace("kind: Profile", "kind: ConfigMap"),
            "a profile's file holds kind: Profile",
        ),
        (
            "apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {name: own}\n".to_owned(),
            "spec: Required value",
        ),
    ] {
        let (selection, errors) = select_among(&[("own.yaml", &text)]);
        assert_eq!(selection, None, "{text}");
        assert!(errors.iter().any(|error| error.contains(says)), "{text}: {errors:#?}");
    }
    for (spec, says) in [
        ("  disabled: [zzz]\n  extends: baseline\n", "spec.disabled[0]: Invalid value: \"zzz\": no shipped policy"),
        (
            "  disabled: [gpu-device-access]\n  bindings: [{policy: gpu-device-access}]\n",
            "spec.disabled: Forbidden: gpu-device-access is among the bindings, too",
        ),
        ("  disabled: []\n", "spec.bindings: Required value: nothing would be on"),
        ("  extends: baseline\n  binding: []\n", "spec.binding: unknown field; write bindings"),
    ] {
        let (_, errors) = select(spec);
        assert!(errors.iter().any(|error| error.contains(says)), "{spec}: {errors:#?}");
    }
}

#[test]
fn a_binding_with_the_name_of_a_shipped_one_takes_its_place() {
    let own = binding("pss-baseline-privileged", "pss-baseline-privileged", "Warn");
    let loaded = load_selected(&shipped("baseline"), &[own], MINOR);
    assert_eq!(texts(&loaded.errors), [] as [&str; 0]);
    let policy = loaded.policies.iter().find(|policy| policy.name == "pss-baseline-privileged").expect("it is on");
    let bindings: Vec<_> =
        policy.bindings.iter().map(|binding| (&*binding.source.file, &*binding.validation_actions)).collect();
    assert_eq!(bindings, [("mine.yaml", &[Warn][..])]);
}

#[test]
fn a_binding_takes_no_place_by_accident() {
    let other = binding("pss-baseline-privileged", "require-pinned-images", "Audit");
    let same = binding("pss-baseline-privileged", "pss-baseline-privileged", "Audit");
    let again = Manifest { file: "again.yaml".to_owned(), ..same.clone() };
    let loaded = load_selected(&shipped("baseline"), &[other], MINOR);
    assert_eq!(
        texts(&loaded.errors),
        [
            "mine.yaml:1: (document 0) ValidatingAdmissionPolicyBinding/pss-baseline-privileged: metadata.name: the shipped \
          binding \"pss-baseline-privileged\" binds \"pss-baseline-privileged\"; give yours another name, or bind \
          pss-baseline-privileged to replace it"
        ]
    );
    assert!(loaded.policies.iter().all(|policy| !policy.bindings.is_empty()), "nothing came off");
    let loaded = load_selected(&shipped("baseline"), &[same, again], MINOR);
    let errors = texts(&loaded.errors);
    assert!(matches!(&errors[..], [only] if only.contains("already loaded from mine.yaml:1")), "{errors:?}");
}

#[test]
fn a_binding_of_ones_own_loads_a_policy_that_is_off_for_itself_alone() {
    let (selection, _) = select("  bindings: [{policy: gpu-device-access}]\n");
    let own = binding("mine", "require-pinned-images", "Audit");
    let params = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: require-digest, namespace: portcullis-system}\n\
                  data: {requireDigest: maybe}\n";
    let loaded = load_selected(&selection.expect("a profile"), &[own, Manifest::new("params.yaml", params)], MINOR);
    assert_eq!(texts(&loaded.errors), [] as [&str; 0]);
    assert_eq!(names(&loaded), ["gpu-device-access", "require-pinned-images"]);
    let bindings: Vec<_> = loaded.policies[1].bindings.iter().map(|binding| &*binding.name).collect();
    assert_eq!(bindings, ["mine"]);
    let kept = format!("{:?}", loaded.params);
    assert!(kept.contains("maybe") && kept.contains("movingTags"), "given params stay, shipped ones are added");
}

#[test]
fn what_is_disabled_is_off_whatever_binds_it_and_its_name_is_free() {
    let mut selection = shipped("baseline");
    selection.turn_off(super::super::shipped("pss-baseline-privileged").expect("in the bundle"), "--disable");
    let own = binding("mine", "pss-baseline-privileged", "Audit");
    let loaded = load_selected(&selection, std::slice::from_ref(&own), MINOR);
    assert_eq!(texts(&loaded.errors), [] as [&str; 0]);
    assert!(!names(&loaded).contains(&"pss-baseline-privileged"), "{:?}", names(&loaded));
    let policy = super::VALIDATING.replace("replicas.example.com", "pss-baseline-privileged");
    let loaded = load_selected(&selection, &[own, Manifest::new("own-policy.yaml", policy)], MINOR);
    let named = loaded.policies.iter().find(|policy| policy.name == "pss-baseline-privileged");
    assert_eq!(named.map(|policy| (&*policy.source.file, policy.bindings.len())), Some(("own-policy.yaml", 1)));
}

#[test]
fn rules_of_the_audit_are_chosen_as_policies_are() {
    let rules = |selection: &Selection| -> Vec<String> {
        selection
            .rules()
            .map(|choice| format!("{} {:?} by {}", choice.rule.name, choice.actions, choice.profile))
            .collect()
    };
    for name in ["baseline", "restricted", "media-server"] {
        let rules: Vec<_> = shipped(name).rules().map(|choice| (choice.rule, choice.actions.clone())).collect();
        let all: Vec<_> = super::super::AUDIT_RULES.iter().map(|rule| (rule, vec![Audit])).collect();
        assert_eq!(rules, all, "{name}");
    }
    let (own, errors) =
        select("  bindings:\n  - policy: secret-exists\n  - {policy: claim-exists, validationActions: [Warn]}\n");
    assert_eq!(errors, [] as [&str; 0]);
    assert_eq!(rules(&own.expect("a selection")), ["claim-exists [Warn] by own", "secret-exists [Audit] by own"]);
    let (off, errors) = select("  extends: baseline\n  disabled: [secret-exists, service-monitored]\n");
    assert_eq!(errors, [] as [&str; 0]);
    let off = off.expect("a selection");
    assert_eq!(off.rules().count(), 4);
    assert_eq!(off.turned_off("secret-exists"), Some("profile own"));
    for (spec, says) in [
        ("  bindings: [{policy: secrets-exists}]\n", "secret-exists"),
        ("  bindings: [{policy: secret-exists, binding: secret-exists}]\n", "rules of the audit have none"),
        ("  bindings: [{policy: secret-exists, validationActions: []}]\n", "validationActions"),
        ("  bindings: [{policy: secret-exists}]\n  disabled: [secret-exists]\n", "among the bindings, too"),
        ("  bindings: [{policy: secret-exists}, {policy: secret-exists}]\n", "leave one of them out"),
    ] {
        let (_, errors) = select(spec);
        assert!(errors.len() == 1 && errors[0].contains(says), "{spec}: {errors:?}");
    }
}
