//! Kubernetes' format library: named formats and their validation.

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::json::Arena;

use crate::cel::value::build;
use crate::cel::value::format_rules::{FORMATS, NamedFormat};

/// Declares a format's own function, `format.<name>()`.
macro_rules! constants {
    ($($name:literal)*) => {
        &[
            Function { name: "format.named", overloads: &[overload_since(31, "format-named", "(string) -> optional<kubernetes.NamedFormat>")], eval: by_name },
            Function { name: "validate", overloads: &[overload_since(31, "format-validate", "kubernetes.NamedFormat.(string) -> optional<list<string>>")], eval: validate },
            $(Function {
                name: concat!("format.", $name),
                overloads: &[overload_since(31, concat!("format.", $name), "() -> kubernetes.NamedFormat")],
                eval: |arena, args| match (args, find($name)) {
                    ([], Some(format)) => build::opaque(arena, Opaque::Format(format)),
                    _ => Err(Error::no_such_overload()),
                },
            },)*
        ]
    };
}

/// The functions of this library.
pub const FUNCTIONS: &[Function] = constants! {
    "byte" "date" "datetime" "dns1035Label" "dns1035LabelPrefix" "dns1123Label" "dns1123LabelPrefix"
    "dns1123Subdomain" "dns1123SubdomainPrefix" "labelValue" "qualifiedName" "uri" "uuid"
};

fn find(name: &str) -> Option<&'static NamedFormat> {
    FORMATS.iter().find(|format| format.key == name)
}

fn by_name<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::String(name)] = args else { return Err(Error::no_such_overload()) };
    match find(name) {
        Some(format) => build::some(arena, build::opaque(arena, Opaque::Format(format))?),
        None => Ok(Value::Optional(None)),
    }
}

/// The reasons why a text does not have the format, or none.
fn validate<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::Opaque(Opaque::Format(format)), Value::String(text)] = args else {
        return Err(Error::no_such_overload());
    };
    let reasons = (format.check)(text);
    if reasons.is_empty() {
        return Ok(Value::Optional(None));
    }
    let reasons: Vec<Value<'a>> =
        reasons.iter().map(|reason| build::string(arena, reason)).collect::<Result<_, Error>>()?;
    build::some(arena, build::list(arena, &reasons)?)
}
