//! MutatingAdmissionPolicy: fields and rules of its own.

use super::{MUTATING, load_good, rejects};
use crate::policy::model::{PatchType, ReinvocationPolicy, Rules};

#[test]
fn accepts_both_patch_types() {
    let loaded = load_good(&[MUTATING]);
    let Some(Rules::Mutate { mutations, reinvocation }) = loaded.policies.first().map(|policy| &policy.rules) else {
        panic!("a mutating policy")
    };
    assert_eq!(*reinvocation, ReinvocationPolicy::IfNeeded);
    let types: Vec<_> = mutations.iter().map(|mutation| mutation.patch_type).collect();
    assert_eq!(types, [PatchType::JsonPatch, PatchType::ApplyConfiguration]);
}

#[test]
fn rejects_what_a_mutating_policy_can_not_have() {
    rejects(
        MUTATING,
        &[
            ("operations: [CREATE]", "operations: [DELETE]", "operations[0]: Unsupported value: \"DELETE\""),
            (
                "  reinvocationPolicy: IfNeeded\n",
                "",
                "spec.reinvocationPolicy: Required value; write reinvocationPolicy: Never",
            ),
            (
                "IfNeeded",
                "Always",
                "spec.reinvocationPolicy: Unsupported value: \"Always\": supported values: \"IfNeeded\", \"Never\"",
            ),
            ("spec:\n  match", "spec:\n  validations: []\n  match", "spec.validations: unknown field"),
            (
                "- patchType: JSONPatch",
                "- patchType: JsonPatch",
                "spec.mutations[0].patchType: Unsupported value: \"JsonPatch\"",
            ),
            (
                "- patchType: JSONPatch\n",
                "- {}\n  - patchType: JSONPatch\n",
                "spec.mutations[0].patchType: Required value",
            ),
            (
                "    jsonPatch:\n      expression: \"[JSONPatch{op: 'remove', path: '/spec/hostname'}]\"\n",
                "",
                "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
            ),
            (
                "    jsonPatch:\n",
                "    applyConfiguration: {expression: 'Object{}'}\n    jsonPatch:\n",
                "spec.mutations[0].applyConfiguration: Invalid value: \"{applyConfiguration}\": must not be specified",
            ),
            (
                "\"Object{spec: Object.spec{hostname: 'a'}}\"",
                "' '",
                "mutations[1].applyConfiguration.expression: Required value",
            ),
            (
                "\"Object{spec: Object.spec{hostname: 'a'}}\"",
                "'1'",
                "mutations[1].applyConfiguration.expression: compilation failed",
            ),
        ],
    );
}

#[test]
fn rejects_a_policy_without_mutations() {
    let start = MUTATING.find("  mutations:").expect("mutations");
    let text = format!("{}  mutations: []\n", MUTATING.get(..start).expect("a prefix"));
    rejects(
        &text,
        &[("IfNeeded", "IfNeeded", "spec.mutations: Required value: mutations must contain at least one item")],
    );
}
