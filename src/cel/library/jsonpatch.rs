//! Kubernetes' JSON Patch library: `jsonpatch.escapeKey`.

use crate::cel::function::{Error, Function, overload};
use crate::cel::value::Value;

use crate::cel::value::build;

/// The functions of this library. The environment decides where it exists: with `JSONPatch{…}` itself.
pub const FUNCTIONS: &[Function] = &[Function {
    name: "jsonpatch.escapeKey",
    overloads: &[overload("string_jsonpatch_escapeKey_string", "(string) -> string")],
    eval: |arena, args| match args {
        [Value::String(key)] if !key.contains(['~', '/']) => Ok(Value::String(key)),
        [Value::String(key)] => {
            build::reserve(arena, key.len().saturating_mul(2))?;
            build::string(arena, &key.replace('~', "~0").replace('/', "~1"))
        }
        _ => Err(Error::no_such_overload()),
    },
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Arena;

    #[test]
    fn escapes_tilde_and_slash() {
        let arena = Arena::new();
        for (key, expected) in [("a", "a"), ("k8s.io/my~label", "k8s.io~1my~0label"), ("~1", "~01"), ("", "")] {
            let escaped = FUNCTIONS.iter().map(|f| (f.eval)(&arena, &[Value::String(key)])).next();
            assert!(matches!(escaped, Some(Ok(Value::String(text))) if text == expected), "{key}");
        }
    }
}
