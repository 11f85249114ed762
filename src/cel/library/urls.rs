//! Kubernetes' URL library.

use std::collections::HashMap;

use crate::cel::function::{Error, Function, overload};
use crate::cel::value::opaque::Opaque;
use crate::cel::value::url::Url;
use crate::cel::value::{Entries, Map, Value};
use crate::json::Arena;

use crate::cel::value::build;
use crate::cel::value::go_url::{check_request_uri, parse_url, query, split_host_port};

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "getEscapedPath",
        overloads: &[overload("url_get_escaped_path", "kubernetes.URL.() -> string")],
        eval: |_, args| Ok(Value::String(url(args)?.escaped_path)),
    },
    Function {
        name: "getHost",
        overloads: &[overload("url_get_host", "kubernetes.URL.() -> string")],
        eval: |_, args| Ok(Value::String(url(args)?.host)),
    },
    Function {
        name: "getHostname",
        overloads: &[overload("url_get_hostname", "kubernetes.URL.() -> string")],
        eval: |_, args| Ok(Value::String(split_host_port(url(args)?.host).0)),
    },
    Function {
        name: "getPort",
        overloads: &[overload("url_get_port", "kubernetes.URL.() -> string")],
        eval: |_, args| Ok(Value::String(split_host_port(url(args)?.host).1)),
    },
    Function {
        name: "getQuery",
        overloads: &[overload("url_get_query", "kubernetes.URL.() -> map<string, list<string>>")],
        eval: get_query,
    },
    Function {
        name: "getScheme",
        overloads: &[overload("url_get_scheme", "kubernetes.URL.() -> string")],
        eval: |_, args| Ok(Value::String(url(args)?.scheme)),
    },
    Function {
        name: "isURL",
        overloads: &[overload("is_url_string", "(string) -> bool")],
        eval: |_, args| match args {
            [Value::String(text)] => Ok(Value::Bool(check_request_uri(text).is_ok())),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function { name: "url", overloads: &[overload("string_to_url", "(string) -> kubernetes.URL")], eval: from_string },
];

fn from_string<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::String(text)] = args else { return Err(Error::no_such_overload()) };
    let parts = parse_url(text)
        .map_err(|error| Error::new(format!("URL parse error during conversion from string: {error}")))?;
    let strings = [&parts.text, &parts.scheme, &parts.host, &parts.escaped_path, &parts.raw_query];
    build::reserve(arena, strings.iter().map(|string| string.len()).sum())?;
    let [text, scheme, host, escaped_path, raw_query] = strings.map(|string| &*arena.alloc_str(string));
    build::opaque(arena, Opaque::Url(Url { text, scheme, host, escaped_path, raw_query }))
}

fn url<'a>(args: &[Value<'a>]) -> Result<Url<'a>, Error> {
    match args {
        [Value::Opaque(Opaque::Url(url))] => Ok(*url),
        _ => Err(Error::no_such_overload()),
    }
}

fn get_query<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let mut keys: Vec<(&'a str, Vec<Value<'a>>)> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (key, value) in query(url(args)?.raw_query) {
        let value = build::string(arena, &value)?;
        match positions.get(&key).and_then(|at| keys.get_mut(*at)) {
            Some((_, values)) => values.push(value),
            None => {
                build::reserve(arena, key.len())?;
                let position = keys.len();
                keys.push((arena.alloc_str(&key), vec![value]));
                positions.insert(key, position);
            }
        }
    }
    let mut entries = Vec::with_capacity(keys.len());
    for (key, values) in keys {
        entries.push((Value::String(key), build::list(arena, &values)?));
    }
    // Two values for an entry, as many entries as keys.
    build::reserve_list(arena, entries.len().saturating_mul(2))?;
    match Entries::new(arena, &entries) {
        Ok(entries) => Ok(Value::Map(Map::Entries(entries))),
        Err(_) => Err(Error::new("a query has a key twice")),
    }
}
