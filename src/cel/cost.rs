//! What evaluation costs, in the units in which Kubernetes limits it.
//!
//! Upstream: `cel-go/interpreter/runtimecost.go` for the language and `pkg/cel/library/cost.go` for the libraries.

use crate::cel::eval::call::Failed;
use crate::cel::eval::dispatch::{not_a_list, not_an_integer};
use crate::cel::function::Error;
use crate::cel::value::{List, Map, Value};

/// The cost that one evaluation of one expression may reach (`PerCallLimit`).
pub const EXPRESSION_LIMIT: u64 = 1_000_000;
/// The cost of all evaluations of one policy binding with one param (`RuntimeCELCostBudget`).
pub const BINDING_BUDGET: u64 = 10_000_000;
/// The cost of a policy's match conditions (`RuntimeCELCostBudgetMatchConditions`).
pub const MATCH_CONDITIONS_BUDGET: u64 = 2_500_000;

/// Creating a list.
pub(super) const LIST: u64 = 10;
/// Creating a map.
pub(super) const MAP: u64 = 30;
/// Creating a struct.
pub(super) const STRUCT: u64 = 40;

/// How the cost of a call follows from its arguments and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallCost {
    /// The same for every call.
    Fixed(u64),
    /// A traversal of the argument at this position.
    Traverse(u8),
    /// As `Traverse`, where Kubernetes counts: an optional is one, whatever it holds.
    Parse(u8),
    /// Two traversals of the argument.
    TraverseTwice(u8),
    /// Two traversals of the result.
    TraverseResultTwice,
    /// Every element of the argument, text by its length.
    Deep(u8),
    /// One for each element of the argument.
    Elements(u8),
    /// The shorter of two texts.
    Shorter,
    /// Equality: as `Shorter`, but one for Kubernetes' own types.
    Equality,
    /// Both texts.
    Both,
    /// Each position of the one with each of the other.
    Product,
    /// A regular expression (argument 1) applied to a text (argument 0).
    Regex,
    /// As `Regex`, where Kubernetes counts: an optional is one.
    Find,
    /// A named format's regular expression, whose length the format knows, applied to argument 1.
    Format,
    /// Whether an address range contains an address; `true` if it has to be parsed first.
    ContainsIp(bool),
    /// Whether an address range contains another; `true` if it has to be parsed first.
    ContainsCidr(bool),
    /// Parsing a field or label selector (argument 1).
    Selector,
    /// Every element of one list with each of the other, as many times.
    Pairs(u64),
    /// Creating the list that is the result.
    Built,
    /// Creating the list that flattening the argument to a depth (argument 1, or one) gives.
    Flattened,
    /// Every element of the list at this position with each of its own, twice.
    SelfCompare(u8),
}

impl CallCost {
    /// The cost of calls to `function`; `overload` is its id where the checker found just one.
    pub fn of(function: &str, overload: Option<&str>) -> Self {
        let overload = overload.unwrap_or("");
        if let Some(cost) = Self::of_list_overload(overload).or_else(|| Self::of_library(function, overload)) {
            return cost;
        }
        match overload {
            "starts_with_string" | "ends_with_string" | "string_to_bytes" | "bytes_to_string" => Self::Traverse(0),
            "strings_quote" | "string_format" => Self::Traverse(0),
            "in_list" => Self::Elements(1),
            "equals" | "not_equals" => Self::Shorter,
            "add_string" | "add_bytes" => Self::Both,
            "matches_string" => Self::Regex,
            "contains_string" => Self::Product,
            _ => {
                let ordered = ["less_", "less_equals_", "greater_", "greater_equals_"];
                let of_text = |prefix: &str| matches!(overload.strip_prefix(prefix), Some("string" | "bytes"));
                if ordered.into_iter().any(of_text) { Self::Shorter } else { Self::Fixed(1) }
            }
        }
    }

    /// The overloads of cel-go's sets and lists, for which its own trackers come before Kubernetes' estimator.
    fn of_list_overload(overload: &str) -> Option<Self> {
        Some(match overload {
            "list_sets_contains_list" | "list_sets_intersects_list" => Self::Pairs(1),
            "list_sets_equivalent_list" => Self::Pairs(2),
            "list_slice" | "lists_range" | "list_reverse" => Self::Built,
            "list_flatten" | "list_flatten_int" => Self::Flattened,
            "list_distinct" => Self::SelfCompare(0),
            _ if overload.ends_with("_sort") => Self::SelfCompare(0),
            _ if overload.ends_with("_sortByAssociatedKeys") => Self::SelfCompare(1),
            _ => return None,
        })
    }

    fn of_library(function: &str, overload: &str) -> Option<Self> {
        Some(match function {
            "check" => Self::Fixed(350_000),
            "fieldSelector" | "labelSelector" => Self::Selector,
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes" => Self::Deep(0),
            "url" | "lowerAscii" | "upperAscii" | "substring" | "trim" | "jsonpatch.escapeKey" => Self::Parse(0),
            "replace" | "split" | "ip.isCanonical" => Self::TraverseTwice(0),
            "join" => Self::TraverseResultTwice,
            "find" | "findAll" => Self::Find,
            "ip" if overload == "cidr_ip" => Self::Fixed(1),
            "ip" | "cidr" | "isIP" | "isCIDR" => Self::Parse(0),
            "quantity" | "isQuantity" | "semver" | "isSemver" => Self::Parse(0),
            "containsIP" => Self::ContainsIp(overload == "cidr_contains_ip_string"),
            "containsCIDR" => Self::ContainsCidr(overload == "cidr_contains_cidr_string"),
            "validate" => Self::Format,
            "_==_" => Self::Equality,
            _ => return None,
        })
    }

    /// Upstream's trackers of list functions panic where a call failed on an argument that is no list or no integer.
    /// `failed` has a bit for each argument that is an error.
    ///
    /// # Errors
    /// The panic.
    pub fn panics(self, args: &[Value<'_>], failed: Failed) -> Result<(), Error> {
        let arg = |at: usize| if failed & (1 << at) != 0 { None } else { args.get(at) };
        match self {
            Self::SelfCompare(at) if !matches!(arg(usize::from(at)), Some(Value::List(_))) => {
                Err(not_a_list(arg(usize::from(at))))
            }
            Self::Flattened if args.len() == 2 && !matches!(arg(1), Some(Value::Int(_))) => Err(not_an_integer(arg(1))),
            _ => Ok(()),
        }
    }

    /// What a call that failed costs less than nothing: flattening to a negative depth counts backwards.
    pub fn rebate(self, args: &[Value<'_>]) -> u64 {
        match (self, args) {
            (Self::Flattened, [list, Value::Int(depth @ ..0)]) => {
                size(list).saturating_mul(depth.unsigned_abs()).saturating_sub(1 + LIST)
            }
            _ => 0,
        }
    }

    /// The cost of one call. A missing argument is one that failed.
    pub fn charge(self, args: &[Value<'_>], result: Option<&Value<'_>>) -> u64 {
        let arg = |at: u8| args.get(usize::from(at)).map_or(1, size);
        // The libraries' own measure does not look into optionals.
        let own = |at: u8| match args.get(usize::from(at)) {
            None | Some(Value::Optional(_)) => 1,
            Some(value) => size(value),
        };
        match self {
            Self::Fixed(cost) => cost,
            Self::Traverse(at) => traverse(arg(at)),
            Self::Parse(at) => traverse(own(at)),
            Self::TraverseTwice(at) => own(at).div_ceil(5),
            Self::TraverseResultTwice => result.map_or(1, size).div_ceil(5),
            Self::Deep(at) => args.get(usize::from(at)).map_or(1, deep),
            Self::Elements(at) => arg(at),
            Self::Equality if matches!(args.first(), Some(Value::Opaque(_))) => 1,
            Self::Shorter | Self::Equality => traverse(arg(0).min(arg(1))),
            Self::Both => traverse(arg(0) + arg(1)),
            Self::Product => traverse(arg(0)) * traverse(arg(1)),
            Self::Regex => regex(arg(0), arg(1)),
            Self::Find => regex(own(0), own(1)),
            Self::Format => match args.first() {
                Some(Value::Opaque(format)) => regex(own(1), format.regex_size()),
                _ => 1,
            },
            Self::ContainsIp(parse) => traverse(2 * own(0)) + if parse { traverse(own(1)) } else { 0 },
            Self::ContainsCidr(parse) => {
                traverse(2 * own(0)) + traverse(own(0)) + 1 + if parse { traverse(own(1)) } else { 0 }
            }
            Self::Pairs(times) => own(0).saturating_mul(own(1)).saturating_mul(times).saturating_add(1),
            Self::Built => result.map_or(1, size).saturating_add(1 + LIST),
            Self::Flattened => {
                let depth = match args.get(1) {
                    Some(Value::Int(depth)) => *depth as f64,
                    _ => 1.0,
                };
                (own(0) as f64 * depth + (1 + LIST) as f64) as u64
            }
            Self::SelfCompare(at) => self_compare(args.get(usize::from(at))),
            Self::Selector => {
                let length = own(1);
                LIST + traverse(length) + length.div_ceil(2).saturating_mul(LIST + STRUCT)
            }
        }
    }
}

/// What comparing all elements of a list with one another costs; text a little more.
fn self_compare(list: Option<&Value<'_>>) -> u64 {
    let Some(Value::List(list)) = list else { return 1 + LIST };
    let factor = if matches!(list.get(0), Some(Value::String(_) | Value::Bytes(_))) { 2.1 } else { 2.0 };
    let len = list.len() as f64;
    ((len * len * factor) as u64).saturating_add(1 + LIST)
}

/// A regular expression of `pattern` characters applied to a text of `text` characters.
pub(super) fn regex(text: u64, pattern: u64) -> u64 {
    traverse(text.saturating_add(1)).saturating_mul(pattern.div_ceil(4))
}

/// Upstream multiplies by 0.1, or 0.2, and rounds up: the same, for its rounding is off by less than a step.
fn traverse(length: u64) -> u64 {
    length.div_ceil(10)
}

/// Upstream's size: characters, bytes, elements or entries; 1 for what has no size.
pub(super) fn size(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => characters(text),
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::List(list) => list.len() as u64,
        Value::Map(map) => map.len() as u64,
        Value::Optional(Some(inner)) => size(inner),
        Value::Opaque(opaque) => opaque.size(),
        _ => 1,
    }
}

/// The length of a text in characters.
pub(super) fn characters(text: &str) -> u64 {
    if text.is_ascii() { text.len() as u64 } else { text.chars().count() as u64 }
}

/// Upstream's traversal cost: text counts a tenth of its bytes, everything else one.
fn deep(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 / 10,
        Value::Bytes(bytes) => bytes.len() as u64 / 10,
        Value::List(list) => deep_list(*list),
        Value::Map(map) => deep_map(*map),
        _ => 1,
    }
}

fn deep_list(list: List<'_>) -> u64 {
    list.iter().map(|element| deep(&element)).sum()
}

fn deep_map(map: Map<'_>) -> u64 {
    map.iter().map(|(key, value)| deep(&key) + deep(&value)).sum()
}
