//! Literals, mostly at the edges of their types, and texts that mean something to some library.

use super::random::Random;
use super::texts::*;

/// The texts of a sort that a hint of the grammar names; `None` for a hint on another type.
fn texts(hint: &str) -> Option<&'static [&'static str]> {
    Some(match hint {
        "field" => &FIELDS,
        "regex" => &REGEXES,
        "duration" => &DURATIONS,
        "timestamp" => &TIMESTAMPS,
        "zone" => &ZONES,
        "quantity" => &QUANTITIES,
        "semver" => &SEMVERS,
        "ip" => &IPS,
        "cidr" => &CIDRS,
        "url" => &URLS,
        "format" => &FORMATS,
        "format-name" => &FORMAT_NAMES,
        "format-input" => &FORMAT_INPUTS,
        "number" => &NUMBERS,
        "bool" => &BOOLS,
        "operation" => &OPERATIONS,
        "label" => &LABELS,
        "group" => &GROUPS,
        "resource" => &RESOURCES,
        "verb" => &VERBS,
        "path" => &PATHS,
        "selector" => &SELECTORS,
        "pointer" => &POINTERS,
        _ => return None,
    })
}

/// A text of a sort; any text without one.
pub fn text(random: &mut Random, hint: Option<&str>) -> &'static str {
    match hint.and_then(texts) {
        // The first half of each list is mostly valid.
        Some(texts) if random.chance(40) => texts[random.below(texts.len() / 2)],
        Some(texts) => random.one(texts),
        None => random.one(&TEXTS),
    }
}

/// A small number: upstream makes a list of any length before it looks at the cost.
pub fn few(random: &mut Random) -> &'static str {
    random.one(&["0", "1", "2", "3", "-1", "5"])
}

/// A field's name.
pub fn field(random: &mut Random) -> &'static str {
    random.one(&FIELDS)
}

/// A literal of a scalar type; `None` for a type that has none.
pub fn scalar(random: &mut Random, of: &str, hint: Option<&str>) -> Option<String> {
    Some(match of {
        "bool" => (*random.of(&["true", "false"])).to_owned(),
        "int" if hint == Some("index") => (*random.of(&INDICES)).to_owned(),
        "int" => (*random.of(&INTS)).to_owned(),
        "uint" if hint == Some("index") => format!("{}u", random.below(4)),
        "uint" => (*random.of(&UINTS)).to_owned(),
        "double" if hint == Some("index") => (*random.of(&["0.0", "1.0", "1.5", "-0.0", "2.0"])).to_owned(),
        "double" => (*random.of(&DOUBLES)).to_owned(),
        "null" => "null".to_owned(),
        "type" => (*random.of(&TYPES)).to_owned(),
        "bytes" => (*random.of(&BYTES)).to_owned(),
        "string" => {
            let value = text(random, hint);
            quoted(random, value)
        }
        _ => return None,
    })
}

/// A text as a CEL literal, in one of the ways to write one.
pub fn quoted(random: &mut Random, text: &str) -> String {
    let plain = !text.contains(|c: char| c.is_control() || c == '\'' || c == '"' || c == '\\');
    match random.below(10) {
        0 if plain => format!("\"{text}\""),
        1 if plain => format!("'''{text}'''"),
        2 if !text.contains(|c: char| c.is_control() || c == '\'') => format!("r'{text}'"),
        _ => {
            let mut literal = String::from("'");
            for c in text.chars() {
                match c {
                    '\'' | '\\' => literal.extend(['\\', c]),
                    '\n' => literal.push_str("\\n"),
                    c if c.is_control() => literal.push_str(&format!("\\u{:04x}", u32::from(c))),
                    c => literal.push(c),
                }
            }
            literal.push('\'');
            literal
        }
    }
}
