//! What is declared: functions by Kubernetes version, variables by what the place of the expression offers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::schema;
use super::signature::Signature;
use super::types::Type;
use crate::cel::function::{Function, Overload};
use crate::cel::library::{self, standard};
use crate::cel::program::Env;
use crate::cel::syntax::names::is_reserved;

/// The Kubernetes 1.x whose environments are known: from the first with ValidatingAdmissionPolicy v1 to the newest.
pub const SUPPORTED_MINORS: std::ops::RangeInclusive<u32> = 30..=37;

/// The first Kubernetes 1.x where a field may be called by a reserved word: `metadata.namespace` for
/// `metadata.__namespace__`.
const KEYWORD_FIELDS: u32 = 31;

/// A function with the overloads that one version has.
#[derive(Debug)]
pub(in crate::cel) struct Declared {
    pub function: &'static Function,
    pub overloads: Vec<(&'static Overload, Signature)>,
}

/// The functions of one version, by name.
#[derive(Debug)]
pub(in crate::cel) struct Functions(HashMap<&'static str, Declared>);

impl Functions {
    /// The functions that Kubernetes 1.`minor` declares; made once for each version.
    pub fn of(minor: u32) -> Arc<Self> {
        static TABLES: LazyLock<Mutex<BTreeMap<u32, Arc<Functions>>>> = LazyLock::new(Mutex::default);
        let minor = minor.clamp(*SUPPORTED_MINORS.start(), *SUPPORTED_MINORS.end());
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(minor).or_insert_with(|| Arc::new(Self::declare(minor))))
    }

    fn declare(minor: u32) -> Self {
        let mut table = HashMap::new();
        for function in standard::all().chain(library::all()) {
            let overloads: Vec<_> = function
                .overloads
                .iter()
                .filter(|overload| (overload.versions.0..overload.versions.1).contains(&minor))
                .filter_map(|overload| Some((overload, Signature::parse(overload.signature)?)))
                .collect();
            if !overloads.is_empty() {
                table.insert(function.name, Declared { function, overloads });
            }
        }
        Self(table)
    }

    pub fn get(&self, name: &str) -> Option<&Declared> {
        self.0.get(name.strip_prefix('.').unwrap_or(name))
    }
}

/// What is known of the objects that an expression sees. Their structures are asked for field by field, by the names
/// that were given to them: only what an expression mentions has to be looked up.
pub trait Declarations: fmt::Debug + Send + Sync {
    /// The type of `object` and `oldObject`.
    fn object(&self) -> Type;

    /// The type of `params`.
    fn params(&self) -> Type;

    /// The type of a field of the structure named `type_name`; `None` if it has no such field.
    fn field(&self, type_name: &str, field: &str) -> Option<Type>;

    /// Whether a merge of the object may set `field` at `path`: fields parted by dots, empty for the object itself, in
    /// which lists are passed over as they are in the names of patch types (`Object.spec.containers`).
    fn takes(&self, path: &str, field: &str) -> bool;
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) enum Reference {
    /// A variable of the request.
    Global(Global),
    /// A type used as a value.
    TypeName(Arc<str>),
}

/// The variables that an evaluation provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cel) enum Global {
    Object,
    OldObject,
    Request,
    Params,
    NamespaceObject,
    Authorizer,
    RequestResourceAuthorizer,
    /// All of the policy's variables, by name.
    Variables,
    /// A binding beyond those of admission, by position.
    Extra(usize),
}

/// The type and meaning of a name that is not bound by a comprehension.
pub(in crate::cel) fn resolve(env: &Env, name: &str) -> Option<(Type, Reference)> {
    let name = name.strip_prefix('.').unwrap_or(name);
    let global = |ty: Type, global| Some((ty, Reference::Global(global)));
    if let Some(at) = env.bindings.iter().position(|(binding, _)| binding == name) {
        return global(env.bindings.get(at)?.1.clone(), Global::Extra(at));
    }
    match name {
        "object" => global(declared(env, |known| known.object()), Global::Object),
        "oldObject" => global(declared(env, |known| known.object()), Global::OldObject),
        "request" => global(Type::Struct(schema::REQUEST.into()), Global::Request),
        "params" if env.params => global(declared(env, |known| known.params()), Global::Params),
        "namespaceObject" => global(Type::Struct(schema::NAMESPACE.into()), Global::NamespaceObject),
        "authorizer" if env.authorizer => global(Type::Struct(schema::AUTHORIZER.into()), Global::Authorizer),
        "authorizer.requestResource" if env.authorizer => {
            global(Type::Struct(schema::RESOURCE_CHECK.into()), Global::RequestResourceAuthorizer)
        }
        "variables" => global(Type::Struct(schema::VARIABLES.into()), Global::Variables),
        _ => {
            let of = type_named(env, name)?;
            Some((Type::Type(Some(Arc::new(of))), Reference::TypeName(name.into())))
        }
    }
}

/// A type that was declared, `dyn` if nothing is.
fn declared(env: &Env, of: impl FnOnce(&dyn Declarations) -> Type) -> Type {
    env.declarations.as_deref().map_or(Type::Dyn, of)
}

/// The type that a name denotes, in an expression such as `type(x) == list` or `Object{…}`.
pub(in crate::cel) fn type_named(env: &Env, name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "google.protobuf.Duration" => Type::Duration,
        "google.protobuf.Timestamp" => Type::Timestamp,
        "int" => Type::Int,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "null_type" => Type::Null,
        "string" => Type::String,
        "type" => Type::Type(None),
        "uint" => Type::Uint,
        "optional_type" if env.minor >= 28 => Type::optional(Type::Dyn),
        "net.IP" | "net.CIDR" => Type::Struct(name.into()),
        "Object" | "JSONPatch" if env.patch_types => Type::Struct(name.into()),
        _ if env.patch_types && name.starts_with("Object.") => Type::Struct(name.into()),
        _ if schema::is_struct(name) => Type::Struct(name.into()),
        _ => return None,
    })
}

/// Whether a name is that of one of Kubernetes' own types of values, which have no fields.
pub(in crate::cel) fn is_opaque(type_name: &str) -> bool {
    (type_name.starts_with("kubernetes.") || type_name.starts_with("net.")) && !schema::is_struct(type_name)
}

/// The type of a field, or `None` where the struct has no such field.
pub(in crate::cel) fn field_type(env: &Env, type_name: &str, field: &str) -> Option<Type> {
    if type_name == schema::VARIABLES {
        return env.variables.iter().rev().find(|(name, _)| name == field).map(|(_, program)| match program {
            Ok(program) => program.output_type().as_variable(),
            Err(_) => Type::Dyn,
        });
    }
    if env.patch_types && type_name == "JSONPatch" {
        // Upstream's resolver knows any field and gives unknown ones no type; an unknown one is an error when built.
        return match field {
            "op" | "path" | "from" => Some(Type::String),
            "value" => Some(Type::Dyn),
            _ => None,
        };
    }
    if env.patch_types
        && let Some(path) = type_name.strip_prefix("Object")
        && (path.is_empty() || path.starts_with('.'))
    {
        let path = path.strip_prefix('.').unwrap_or_default();
        let is_taken = env.declarations.as_deref().is_none_or(|known| known.takes(path, field));
        return is_taken.then_some(Type::Dyn);
    }
    if let Some(of) = schema::field(type_name, field) {
        return Some(of);
    }
    let declarations = env.declarations.as_deref()?;
    let escaped = || format!("__{field}__");
    let is_escaped = env.minor >= KEYWORD_FIELDS && is_reserved(field);
    declarations.field(type_name, field).or_else(|| is_escaped.then(|| declarations.field(type_name, &escaped()))?)
}
