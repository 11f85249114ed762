//! Field paths at the head of messages: `spec.containers[0].image: …`, several offenders joined by `; `.
//!
//! A convention of the shipped policies; messages of other policies pass through unchanged and name no field.

use super::decision::Offender;

/// What separates the offenders in a message.
const NEXT_OFFENDER: &str = "; ";
/// What separates several fields before one colon.
const NEXT_FIELD: &str = ", ";

/// The first field path that the message begins with, or an empty string.
fn leading(message: &str) -> &str {
    fields(message).and_then(|(fields, _)| fields.split(NEXT_FIELD).next()).unwrap_or_default()
}

/// The message as it is, with the field that it names first.
pub fn offender(message: &str) -> Vec<Offender> {
    vec![Offender { field: leading(message).to_owned(), message: message.to_owned() }]
}

/// Takes a message apart that names several offenders.
pub fn offenders(message: &str) -> Vec<Offender> {
    let mut offenders: Vec<Offender> = Vec::new();
    for part in message.split(NEXT_OFFENDER) {
        match (leading(part), offenders.last_mut()) {
            // A semicolon within what is said of the offender before.
            ("", Some(Offender { message, .. })) => {
                message.push_str(NEXT_OFFENDER);
                message.push_str(part);
            }
            (field, _) => offenders.push(Offender { field: field.to_owned(), message: part.to_owned() }),
        }
    }
    offenders
}

/// Every field path that the message begins with.
pub fn paths(message: &str) -> Vec<&str> {
    fields(message).map(|(fields, _)| fields.split(NEXT_FIELD).collect()).unwrap_or_default()
}

/// One message of what is said of several offenders.
pub fn joined<'m>(offenders: impl Iterator<Item = &'m str>) -> String {
    offenders.collect::<Vec<_>>().join(NEXT_OFFENDER)
}

/// The message with every leading field path replaced by what `rewrite` makes of it.
pub fn rewrite(message: &str, mut rewrite: impl FnMut(&str) -> String) -> String {
    let offenders = message.split(NEXT_OFFENDER).map(|offender| match fields(offender) {
        Some((paths, rest)) => {
            let paths: Vec<String> = paths.split(NEXT_FIELD).map(&mut rewrite).collect();
            format!("{}{rest}", paths.join(NEXT_FIELD))
        }
        None => offender.to_owned(),
    });
    offenders.collect::<Vec<_>>().join(NEXT_OFFENDER)
}

/// One step of a field path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'p> {
    /// `.name`
    Field(&'p str),
    /// `[3]`
    Index(usize),
    /// `['key']` or `["key"]`, kept as written
    Key(&'p str),
}

/// The steps of a field path, or `None` if the text isn't one.
pub fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (step, after) = bracketed(bracket)?;
            steps.push(step);
            rest = after;
            continue;
        }
        if !steps.is_empty() {
            rest = rest.strip_prefix('.')?;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$')) {
            return None;
        }
        steps.push(Step::Field(name));
        rest = after;
    }
    matches!(steps.first(), Some(Step::Field(_))).then_some(steps)
}

/// Joins steps into a path.
pub fn join(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Field(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(quoted) => path.push_str(&format!("[{quoted}]")),
        }
    }
    path
}

/// Splits an offender into its field paths and the rest, which begins with the colon.
fn fields(offender: &str) -> Option<(&str, &str)> {
    // A key may contain a colon: look for the first one that leaves paths before it.
    offender
        .match_indices(": ")
        .map(|(at, _)| offender.split_at(at))
        .find(|(paths, _)| paths.split(NEXT_FIELD).all(|path| steps(path).is_some_and(|steps| is_likely(&steps))))
}

/// A single word before a colon is prose, unless it names what every object has.
fn is_likely(steps: &[Step<'_>]) -> bool {
    steps.len() > 1
        || matches!(steps.first(), Some(Step::Field("spec" | "metadata" | "data" | "stringData" | "status")))
}

fn bracketed(text: &str) -> Option<(Step<'_>, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let closing = format!("{quote}]");
        let end = text.get(1..)?.find(&closing)? + 2;
        return Some((Step::Key(text.get(..end)?), text.get(end + 1..)?));
    }
    let (digits, after) = text.split_once(']')?;
    let index = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    Some((Step::Index(index), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_field_that_a_message_begins_with() {
        for (message, field) in [
            ("spec.containers[0].image: tag 'latest' moves", "spec.containers[0].image"),
            ("spec.hostNetwork: must be false; spec.hostPID: must be false", "spec.hostNetwork"),
            ("metadata.annotations['a.b/c: d']: not allowed", "metadata.annotations['a.b/c: d']"),
            ("metadata.labels[\"x\"].y: no", "metadata.labels[\"x\"].y"),
            ("spec.a, spec.b[1]: both are set", "spec.a"),
            ("data: is empty", "data"),
            ("error: something", ""),
            ("nginx:latest is not pinned", ""),
            ("failed expression: object.spec.replicas < 3", ""),
            ("e.g.: this", ""),
            ("image registry.io/x:1: no", ""),
            ("spec.containers[x]: no", ""),
            ("", ""),
        ] {
            assert_eq!(leading(message), field, "{message}");
        }
    }

    #[test]
    fn takes_offenders_apart() {
        for (message, parts) in [
            ("prose; more prose", vec![("", "prose; more prose")]),
            ("", vec![("", "")]),
            (
                "spec.a[0]: is bad; and wrong; spec.b, spec.c: are too",
                vec![("spec.a[0]", "spec.a[0]: is bad; and wrong"), ("spec.b", "spec.b, spec.c: are too")],
            ),
        ] {
            let found = offenders(message);
            let found: Vec<_> =
                found.iter().map(|offender| (offender.field.as_str(), offender.message.as_str())).collect();
            assert_eq!(found, parts, "{message}");
        }
    }

    #[test]
    fn rewrites_each_offender_and_leaves_prose_alone() {
        let message = "spec.a[0].b: is bad: spec.c: stays; and so on; spec.d, spec.e: are bad";
        assert_eq!(
            rewrite(message, |path| format!("<{path}>")),
            "<spec.a[0].b>: is bad: spec.c: stays; and so on; <spec.d>, <spec.e>: are bad"
        );
        assert_eq!(rewrite("no path here; none: there", |_| unreachable!("no path")), "no path here; none: there");
    }

    #[test]
    fn paths_survive_being_taken_apart() {
        for path in ["spec.containers[12].env[0].name", "metadata.annotations['a.b/c']", "spec"] {
            assert_eq!(join(&steps(path).expect(path)), path);
        }
        for text in [
            "",
            ".spec",
            "spec.",
            "spec..a",
            "spec[",
            "spec[1",
            "spec['a]",
            "spec a",
            "[0]",
            "spec[18446744073709551616]",
        ] {
            assert_eq!(steps(text), None, "{text}");
        }
    }
}
