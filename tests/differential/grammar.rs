//! Reads `grammar.txt`.

use super::types::Type;

/// `result <- template`
#[derive(Debug)]
pub struct Production {
    pub result: Type,
    /// The template as written, which names the production in reports.
    pub template: &'static str,
    pub parts: Vec<Part>,
    /// Whether only mutations have it.
    pub patch: bool,
}

/// A piece of a template.
#[derive(Debug, PartialEq)]
pub enum Part {
    Text(String),
    /// An expression of a type, mostly a literal of the sort that the hint names.
    Hole(Type, Option<String>),
    /// A new name, in scope for what follows.
    Name(Type),
}

/// All productions.
pub fn productions() -> Vec<Production> {
    include_str!("grammar.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (patch, line) = line.strip_prefix("patch: ").map_or((false, line), |rest| (true, rest));
            let (result, template) = line.split_once(" <- ").expect("a line has an arrow");
            Production { result: Type::parse(result), template, parts: parts(template), patch }
        })
        .collect()
}

fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let is_hole = c == '{' && !text.ends_with(|c: char| c.is_ascii_alphanumeric()) && !after.starts_with('{');
        if is_hole || c == '#' {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        if is_hole {
            let (hole, after) = after.split_once('}').expect("a hole ends");
            let (of, hint) = hole.split_once('/').map_or((hole, None), |(of, hint)| (of, Some(hint.to_owned())));
            parts.push(Part::Hole(Type::parse(of), hint));
            rest = after;
        } else if c == '#' {
            let end = after.find([',', ')']).expect("a name is followed by more");
            parts.push(Part::Name(Type::parse(&after[..end])));
            rest = &after[end..];
        } else {
            text.push(c);
            rest = after;
        }
    }
    parts.push(Part::Text(text));
    parts
}
