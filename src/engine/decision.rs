//! What the engine answers: a decision with everything that led to it.

use crate::cel::explain::Explanation;
use crate::json;
use crate::policy::Exemption;

/// How far bindings may act: the roll-out switch that caps every binding's actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is denied or mutated; everything is recorded. What bindings warn of, clients see.
    #[default]
    Audit,
    /// Denials become warnings; nothing is mutated.
    Warn,
    /// Bindings act as they say.
    Enforce,
}

impl Mode {
    /// Whether mutating policies change what is stored.
    pub fn mutates(self) -> bool {
        self == Mode::Enforce
    }
}

/// What one finding amounts to, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The object satisfies the binding.
    Pass,
    /// It doesn't, but an exemption covers it.
    Exempt,
    /// It doesn't; the binding records that.
    Audit,
    /// It doesn't; the binding warns.
    Warn,
    /// The policy could not be evaluated, and its failure policy lets the request pass.
    Error,
    /// It doesn't (or could not be evaluated, and the failure policy is Fail); the binding denies.
    Deny,
}

impl Verdict {
    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Exempt => "exempt",
            Verdict::Audit => "audit",
            Verdict::Warn => "warn",
            Verdict::Error => "error",
            Verdict::Deny => "deny",
        }
    }
}

/// What an evaluation came to, before any action. Upstream: `PolicyDecisionEvaluation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evaluation {
    /// The object satisfies the policy.
    Admit,
    /// It doesn't.
    Deny,
    /// The policy could not be evaluated; [`Finding::verdict`] says what its failure policy makes of that.
    Error,
}

/// One policy binding's judgement on one object.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// The policy's name.
    pub policy: &'a str,
    /// The binding's name; empty when the policy itself could not be used.
    pub binding: &'a str,
    /// What the evaluation came to.
    pub evaluation: Evaluation,
    /// The strongest of the binding's own actions, before the mode caps it.
    pub verdict: Verdict,
    /// The verdict that takes effect under the mode.
    pub effective: Verdict,
    /// Upstream's reason, `Invalid` by default.
    pub reason: &'a str,
    /// The index of the validation within the policy; `None` for errors of the whole policy.
    pub expression_index: Option<usize>,
    /// What the message names in the object that the user wrote, each apart; empty for errors and passes.
    pub offenders: Vec<Offender>,
    /// The mutating policy that repairs the violation before the pod is created.
    pub repaired_by: Option<&'a str>,
    /// The message, its field path already in terms of the object that the user wrote.
    pub message: String,
    /// The policy's severity annotation, or empty.
    pub severity: &'a str,
    /// What exempts from it, where the verdict is [`Verdict::Exempt`].
    pub exemption: Option<SetAside<'a>>,
    /// Every exemption that is written for it, with how many of its offenders each covers: besides the one that sets it
    /// aside those that have expired, and those that come after that one. With none, an exemption is for what the policy
    /// has nothing to object to.
    pub covered_by: Vec<(&'a Exemption, usize)>,
    /// What decided, for a validation that came out false or failed, where the context asks for it. Its paths are in terms
    /// of the object that the user wrote.
    pub explanation: Option<Explanation>,
}

/// Why a finding has no effect, and which it would have.
#[derive(Clone, Copy, Debug)]
pub struct SetAside<'a> {
    /// The exemption.
    pub by: &'a Exemption,
    /// The verdict without it.
    pub instead_of: Verdict,
}

/// One of the things that a message objects to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offender {
    /// The field; empty for prose.
    pub field: String,
    /// What is said of it.
    pub message: String,
}

impl Finding<'_> {
    /// The first field that the message names, or an empty string.
    pub fn field(&self) -> &str {
        self.offenders.first().map(|offender| offender.field.as_str()).unwrap_or_default()
    }
}

/// What mutating policies made of the object.
#[derive(Clone, Debug)]
pub struct Mutated<'a> {
    /// The request's object with the policies' changes. The API server sets the defaults of what they added itself.
    pub object: json::Value<'a>,
    /// The object as later policies saw it, with those defaults.
    pub stored: json::Value<'a>,
    /// The policies that changed something, in the order they ran.
    pub policies: Vec<&'a str>,
}

/// The answer to a request.
#[derive(Clone, Debug, Default)]
pub struct Decision<'a> {
    /// Everything found, passes included, in the order upstream evaluates.
    pub findings: Vec<Finding<'a>>,
    /// The object after mutation, if mutating policies changed it and the mode lets them.
    pub mutated: Option<Mutated<'a>>,
    /// What mutation would have done had the mode let it.
    pub would_mutate: Option<Mutated<'a>>,
    /// Why the request is denied: upstream's whole message, reason and HTTP code. `None` when it is allowed.
    pub denied: Option<Denial<'a>>,
    /// Warnings for the client, in upstream's wording.
    pub warnings: Vec<String>,
    /// Audit annotations: key and value.
    pub audit_annotations: Vec<(String, String)>,
}

/// Upstream's rejection.
#[derive(Clone, Debug)]
pub struct Denial<'a> {
    /// `ValidatingAdmissionPolicy '…' with binding '…' denied request: …`
    pub message: String,
    /// `status.reason`.
    pub reason: &'a str,
    /// `status.code`.
    pub code: u16,
    /// `status.details.causes[].message`: every denial, the first included.
    pub causes: Vec<String>,
}

impl Decision<'_> {
    /// Whether the request may proceed.
    pub fn allowed(&self) -> bool {
        self.denied.is_none()
    }
}
