//! Whether an object can be decoded as its kind: what a JSON patch, or whoever wrote a manifest, may have put where it
//! doesn't belong.
//!
//! Upstream decodes the patched object strictly into the kind's Go type (`policy/mutating/patch/json_patch.go`). What
//! can't be decoded is an internal error that fails the request, whatever the failure policy is.

use std::borrow::Cow;

use crate::json::pointer::{Path, Segment};
use crate::json::{Object, Value};
use crate::schema::{self, Form, Scalar, Seen, Type, TypeId, resolve};

use super::context::Phase;
use super::field::{self, Step};
use super::request::GroupVersionKind;

/// Checks what `after` has that `before` hasn't. Kinds that are not built in have no type to be decoded into.
///
/// The webhook leaves values of a wrong type to the API server, which decodes the answer, too, and knows the words for
/// them; there is nobody else to notice them in [`Phase::Both`].
///
/// # Errors
/// What can't be decoded.
pub fn check<'a>(kind: GroupVersionKind<'a>, before: Value<'a>, after: Value<'a>, phase: Phase) -> Result<(), String> {
    let (root, true) = schema::merge_type(kind.group, kind.version, kind.kind) else { return Ok(()) };
    let mut decoding = Decoding::default();
    decoding.value(root, before, after);
    match decoding.mistyped {
        Some(mistyped) if phase == Phase::Both => return Err(mistyped.in_upstreams_words(kind.kind)),
        _ => {}
    }
    match decoding.unknown.is_empty() {
        true => Ok(()),
        false => Err(format!("strict decoding error: {}", decoding.unknown.join(", "))),
    }
}

/// The first value in a written object that its kind has no room for. Of kinds that are not built in only the metadata
/// is known. Fields that the kind doesn't have are no matter: the API server drops them unless it is asked not to.
pub fn mistyped<'a>(kind: GroupVersionKind<'_>, object: Value<'a>) -> Option<Mistyped<'a>> {
    let (root, _) = schema::merge_type(kind.group, kind.version, kind.kind);
    let mut decoding = Decoding::default();
    decoding.value(root, Value::Null, object);
    decoding.mistyped
}

/// A value of another type than its field.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistyped<'a> {
    /// The field.
    pub field: Path<'a>,
    /// What the field holds.
    pub wanted: Wanted,
    /// What was found there.
    pub found: Value<'a>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An object with fields.
    Object,
    /// A list.
    List,
    /// Text.
    String,
    /// A number; most are whole.
    Number,
    /// A whole number of so many bits.
    Integer(u8),
    /// `true` or `false`.
    Boolean,
    /// A number or text: a quantity, a port by number or name.
    NumberOrString,
}

/// Fields of built-in kinds that hold 64-bit integers; all other numbers are of 32 bits.
const WIDE: [&str; 19] = [
    "activeDeadlineSeconds",
    "deletionGracePeriodSeconds",
    "expirationSeconds",
    "fsGroup",
    "generation",
    "gracePeriodSeconds",
    "limitBytes",
    "nodeAllocatableUpdatePeriodSeconds",
    "observedGeneration",
    "remainingItemCount",
    "revision",
    "runAsGroup",
    "runAsUser",
    "sizeBytes",
    "startingDeadlineSeconds",
    "supplementalGroups",
    "templateGeneration",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
];

/// Checks that an apply configuration has no fraction where its kind has an integer, which is where built-in kinds have
/// numbers; only the schemas of custom resources have others.
///
/// # Errors
/// The first fraction, in upstream's words.
pub fn check_integers(kind: GroupVersionKind<'_>, configuration: Value<'_>) -> Result<(), String> {
    let (root, true) = schema::merge_type(kind.group, kind.version, kind.kind) else { return Ok(()) };
    if kind.group == "apiextensions.k8s.io" {
        return Ok(());
    }
    fraction(root, "", configuration).map_or(Ok(()), |field| {
        Err(format!(
            "unable to convert unstructured object to {}/{}, Kind={}: cannot convert float64 to int{}",
            kind.group,
            kind.version,
            kind.kind,
            width(field)
        ))
    })
}

/// How many bits the integer in a field has.
fn width(field: &str) -> u8 {
    if WIDE.contains(&field) { 64 } else { 32 }
}

/// The field that holds a fraction in place of an integer.
fn fraction<'a>(id: TypeId, field: &'a str, value: Value<'a>) -> Option<&'a str> {
    match (resolve(id).form(value), value) {
        (Some(Form::Map(map)), Value::Object(object)) => {
            object.members().iter().find_map(|(key, member)| fraction(map.member(key)?, key, *member))
        }
        (Some(Form::List(list)), Value::Array(elements)) => {
            elements.iter().find_map(|element| fraction(list.element, field, *element))
        }
        (Some(Form::Scalar(Scalar::Numeric)), Value::Float(number)) if number.fract() != 0.0 => Some(field),
        _ => None,
    }
}

#[derive(Default)]
struct Decoding<'a> {
    path: Vec<Step<'a>>,
    unknown: Vec<String>,
    /// The first value of a wrong type.
    mistyped: Option<Mistyped<'a>>,
}

impl<'a> Decoding<'a> {
    fn value(&mut self, id: TypeId, before: Value<'a>, after: Value<'a>) {
        if before.is_shared_with(&after) {
            return;
        }
        let found = resolve(id);
        match (found.form(after), after) {
            (_, Value::Null) | (None, _) => {}
            (Some(Form::Map(map)), Value::Object(after)) => {
                self.members(map, before.as_object().unwrap_or_default(), after);
            }
            (Some(Form::List(list)), Value::Array(after)) => {
                let before = before.as_array().unwrap_or_default();
                for (i, element) in after.iter().enumerate() {
                    let before = before.get(i).copied().unwrap_or(Value::Null);
                    self.below(Step::Index(i), |decoding| decoding.value(list.element, before, *element));
                }
            }
            (Some(form), value) => {
                if let Some(wanted) = self.unmet(found, form, value)
                    && self.mistyped.is_none()
                {
                    self.mistyped = Some(Mistyped { field: self.field(), wanted, found: value });
                }
            }
        }
    }

    fn members(&mut self, map: &schema::Map, before: Object<'a>, after: Object<'a>) {
        for (index, (key, member)) in after.members().iter().enumerate() {
            let before = before.get_near(key, index);
            // A patch shares what it leaves alone, so most of an object is not looked at.
            if before.is_some_and(|before| before.is_shared_with(member)) {
                continue;
            }
            match map.member(key) {
                Some(id) => {
                    let before = before.unwrap_or(Value::Null);
                    self.below(Step::Field(key), |decoding| decoding.value(id, before, *member));
                }
                None => self.below(Step::Field(key), |decoding| {
                    decoding.unknown.push(format!("unknown field {:?}", field::join(&decoding.path)));
                }),
            }
        }
    }

    /// What is wanted here in place of a scalar, or of a value whose form the type doesn't have.
    fn unmet(&self, of: &Type, form: Form<'_>, value: Value<'_>) -> Option<Wanted> {
        let scalar = match form {
            Form::Map(_) => return Some(Wanted::Object),
            Form::List(_) => return Some(Wanted::List),
            Form::Scalar(scalar) => scalar,
        };
        let (fits, wanted) = match (scalar, value) {
            // Go decodes bytes from text, or from a list of them.
            (Scalar::String, Value::Array(_)) if of.seen == Seen::Bytes => return None,
            (Scalar::String, _) => (matches!(value, Value::String(_)), Wanted::String),
            (Scalar::Boolean, _) => (matches!(value, Value::Bool(_)), Wanted::Boolean),
            (Scalar::Numeric, Value::Float(number)) if number.fract() != 0.0 && of.seen != Seen::Double => {
                (false, Wanted::Integer(width(self.name())))
            }
            (Scalar::Numeric, _) => (matches!(value, Value::Int(_) | Value::Float(_)), Wanted::Number),
            // Where lists and objects would do, any scalar does.
            (Scalar::Untyped, Value::Bool(_)) => (of.list.is_some() || of.map.is_some(), Wanted::NumberOrString),
            (Scalar::Untyped, _) => (!matches!(value, Value::Array(_) | Value::Object(_)), Wanted::NumberOrString),
        };
        (!fits).then_some(wanted)
    }

    /// The name of the field that the value is in, or in a list of.
    fn name(&self) -> &'a str {
        let name = |step: &Step<'a>| match step {
            Step::Field(name) | Step::Key(name) => Some(*name),
            Step::Index(_) => None,
        };
        self.path.iter().rev().find_map(name).unwrap_or_default()
    }

    fn field(&self) -> Path<'a> {
        let segment = |step: &Step<'a>| match step {
            Step::Field(name) | Step::Key(name) => Segment::Key(Cow::Borrowed(name)),
            Step::Index(index) => Segment::Index(*index),
        };
        Path(self.path.iter().map(segment).collect())
    }

    fn below(&mut self, step: Step<'a>, work: impl FnOnce(&mut Self)) {
        self.path.push(step);
        work(self);
        self.path.pop();
    }
}

impl Mistyped<'_> {
    fn in_upstreams_words(&self, kind: &str) -> String {
        let found = match self.found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let (found, wanted) = match (self.wanted, self.found) {
            (Wanted::Integer(bits), Value::Float(number)) => (format!("number {number}"), format!("int{bits}")),
            (wanted, _) => (found.to_owned(), wanted.in_upstreams_words().to_owned()),
        };
        format!("json: cannot unmarshal {found} into Go struct field {kind}.{} of type {wanted}", self.field)
    }
}

impl Wanted {
    fn in_upstreams_words(self) -> &'static str {
        match self {
            Wanted::Object => "object",
            Wanted::List => "array",
            Wanted::String => "string",
            Wanted::Number | Wanted::Integer(_) => "number",
            Wanted::Boolean => "bool",
            Wanted::NumberOrString => "scalar",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Limits, parse};

    const POD: GroupVersionKind<'_> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };
    const CUSTOM: GroupVersionKind<'_> = GroupVersionKind { group: "example.com", version: "v1", kind: "Widget" };

    fn checked(kind: GroupVersionKind<'_>, after: &str, phase: Phase) -> Result<(), String> {
        let arena = Arena::new();
        let after = parse(&arena, after.as_bytes(), &Limits::default()).expect(after);
        check(kind, Value::Object(Object::default()), after, phase)
    }

    #[test]
    fn accepts_what_fits_the_kind() {
        for object in [
            r#"{"spec": {"hostNetwork": true, "containers": [{"name": "a", "env": [{"name": "E", "value": "1"}]}]}}"#,
            r#"{"metadata": {"labels": {"any": "key"}}, "spec": null}"#,
            r#"{"spec": {"containers": [{"resources": {"limits": {"cpu": 1, "memory": "64Mi"}}}]}}"#,
        ] {
            assert_eq!(checked(POD, object, Phase::Both), Ok(()), "{object}");
        }
        assert_eq!(checked(CUSTOM, r#"{"anything": [1, {"goes": true}]}"#, Phase::Both), Ok(()));
    }

    #[test]
    fn rejects_fields_that_the_kind_does_not_have() {
        for (object, fields) in [
            (r#"{"unknown": 1}"#, r#"unknown field "unknown""#),
            (r#"{"spec": {"containers": [{}, {"nope": 1}]}}"#, r#"unknown field "spec.containers[1].nope""#),
            (r#"{"metadata": {"a": 1, "b": 2}}"#, r#"unknown field "metadata.a", unknown field "metadata.b""#),
        ] {
            let expected = Err(format!("strict decoding error: {fields}"));
            assert_eq!(checked(POD, object, Phase::Mutate), expected, "{object}");
        }
    }

    #[test]
    fn rejects_values_of_a_wrong_type_where_no_api_server_will() {
        for (object, error) in [
            (
                r#"{"spec": {"hostNetwork": "yes"}}"#,
                "json: cannot unmarshal string into Go struct field Pod.spec.hostNetwork of type bool",
            ),
            (r#"{"spec": []}"#, "json: cannot unmarshal array into Go struct field Pod.spec of type object"),
            (
                r#"{"spec": {"containers": {"a": 1}}}"#,
                "json: cannot unmarshal object into Go struct field Pod.spec.containers of type array",
            ),
        ] {
            assert_eq!(checked(POD, object, Phase::Both), Err(error.to_owned()), "{object}");
            assert_eq!(checked(POD, object, Phase::Mutate), Ok(()), "{object}");
        }
    }

    #[test]
    fn rejects_fractions_for_integers() {
        let deployment = GroupVersionKind { group: "apps", version: "v1", kind: "Deployment" };
        let says = "unable to convert unstructured object to";
        for (kind, configuration, error) in [
            (
                POD,
                r#"{"spec": {"terminationGracePeriodSeconds": 1.5}}"#,
                Some("/v1, Kind=Pod: cannot convert float64 to int64"),
            ),
            (
                deployment,
                r#"{"spec": {"replicas": 1.5}}"#,
                Some("apps/v1, Kind=Deployment: cannot convert float64 to int32"),
            ),
            (
                POD,
                r#"{"spec": {"containers": [{"ports": [{"containerPort": 0.5}]}]}}"#,
                Some("/v1, Kind=Pod: cannot convert float64 to int32"),
            ),
            (POD, r#"{"spec": {"priority": 2, "overhead": {"cpu": 1.5}}}"#, None),
            (CUSTOM, r#"{"spec": {"size": 1.5}}"#, None),
        ] {
            let arena = Arena::new();
            let parsed = parse(&arena, configuration.as_bytes(), &Limits::default()).expect(configuration);
            let expected = error.map_or(Ok(()), |error| Err(format!("{says} {error}")));
            assert_eq!(check_integers(kind, parsed), expected, "{configuration}");
        }
    }

    #[test]
    fn leaves_alone_what_the_object_had_before() {
        let arena = Arena::new();
        let before = parse(&arena, br#"{"metadata": {"future": 1}}"#, &Limits::default()).expect("JSON");
        assert_eq!(check(POD, before, before, Phase::Both), Ok(()));
    }
}
