//! Where in a template what was made of it stands, as far as that can be told without running it: the template is read
//! as YAML with its actions left out, and only what the object has in the same place is believed.

use crate::json::yaml::{Lines, Step};
use crate::json::{Arena, Value};

/// Stands for what an action writes within a line.
const WRITTEN: char = '\u{e000}';

/// The template without its actions, in as many lines: what an action writes within a line is one character that
/// [`may_be`] knows, and an action that has its lines for itself leaves them empty.
pub fn without_actions(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, action)) = rest.split_once("{{") {
        text.push_str(before);
        let (inside, after) = action.split_at(action_end(action));
        let begins_line = text.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
        let ends_line = after.split('\n').next().is_some_and(|line| line.trim().is_empty() || line.starts_with("{{"));
        let breaks = inside.matches('\n').count();
        if breaks == 0 && !(begins_line && ends_line) {
            text.push(WRITTEN);
        }
        text.extend(std::iter::repeat_n('\n', breaks));
        rest = after;
    }
    text + rest
}

/// Where the action that `text` follows the beginning of ends, its braces included; a text in quotes may hold any.
fn action_end(text: &str) -> usize {
    let mut quote = None;
    let mut chars = text.char_indices();
    let is_comment = text.trim_start_matches(['-', ' ']).starts_with("/*");
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => drop(chars.next()),
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') if !is_comment => quote = Some(c),
            (None, '}') if text.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return at + 2,
            (None, _) => {}
        }
    }
    text.len()
}

/// Whether `object` may have been made of `written`, a document of a template without its actions: it is of the kind and
/// its name begins, goes on and ends as is written.
pub fn may_be(written: Value<'_>, object: Value<'_>) -> bool {
    let fits = |path: &[&str]| match (written.at(path), object.at(path)) {
        (Some(written), Some(made)) => fits(written, made),
        // What isn't written may come of an action.
        (None, _) => path != ["kind"],
        (Some(_), None) => false,
    };
    fits(&["kind"]) && fits(&["metadata", "name"])
}

fn fits(written: Value<'_>, made: Value<'_>) -> bool {
    let Some(written) = written.as_str() else { return !matches!(written, Value::Object(_) | Value::Array(_)) };
    let made = made.as_str().unwrap_or_default();
    let Some((first, others)) = written.split_once(WRITTEN) else { return written == made };
    let Some(mut rest) = made.strip_prefix(first) else { return false };
    let mut parts = others.split(WRITTEN).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

/// Of the lines of `written` those of what `made` has in the same place; the rest has the line of what is around it. An
/// element is in the same place if it is the likeliest one to have its name, or if neither list has names and both are of
/// one length.
pub fn shared<'a>(arena: &'a Arena, lines: Lines<'a>, written: Value<'_>, made: Value<'a>) -> Lines<'a> {
    let line = lines.line(&[]);
    match (written, made) {
        (Value::Object(written), Value::Object(made)) => {
            let member = |(key, made): &(&'a str, Value<'a>)| {
                let written = written.get(key)?;
                Some((*key, shared(arena, lines.at(&[Step::Key(key)]), written, *made)))
            };
            let mut members: Vec<_> = made.members().iter().filter_map(member).collect();
            Lines::of_members(arena, line, &mut members)
        }
        (Value::Array(written), Value::Array(made)) => {
            let element = |(index, of): (usize, &Value<'a>)| match same(written, made, index) {
                Some((index, written)) => shared(arena, lines.at(&[Step::Index(index)]), written, *of),
                None => Lines::of_line(line),
            };
            let elements: Vec<_> = made.iter().enumerate().map(element).collect();
            Lines::of_elements(arena, line, &elements)
        }
        _ => Lines::of_line(line),
    }
}

/// The longest list whose elements are looked for by their names.
const MAX_NAMED: usize = 1_000;

/// The element of `written` that the element of `made` was made of.
fn same<'w>(written: &[Value<'w>], made: &[Value<'_>], index: usize) -> Option<(usize, Value<'w>)> {
    let at = |index: usize| Some((index, *written.get(index)?));
    let Some(name) = made.get(index)?.get("name") else {
        let is_plain = written.len() == made.len() && !written.iter().any(|element| element.get("name").is_some());
        return at(index).filter(|_| is_plain);
    };
    if written.len().max(made.len()) > MAX_NAMED {
        return None;
    }
    // The more of the name is written, the likelier it is.
    let literal = |name: Value<'_>| name.as_str().map_or(0, |name| name.chars().filter(|c| *c != WRITTEN).count());
    let named = written.iter().enumerate().filter_map(|(at, element)| Some((at, element.get("name")?)));
    let mut likely: Vec<_> =
        named.filter(|(_, written)| fits(*written, name)).map(|(at, name)| (literal(name), at)).collect();
    likely.sort_unstable_by(|a, b| b.cmp(a));
    match likely.as_slice() {
        [(best, _), (next, _), ..] if best == next => None,
        [(_, best), ..] => at(*best),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::yaml;

    #[test]
    fn leaves_actions_out_and_every_line_in_its_place() {
        for (template, expected) in [
            ("a: {{ .b }}-c\n", "a: \u{e000}-c\n"),
            ("a: \"{{ .b }}:{{ .c }}\"\n", "a: \"\u{e000}:\u{e000}\"\n"),
            ("{{- if .a }}\na: 1\n{{- end }}\n", "\na: 1\n\n"),
            ("  {{- if .a }}{{ .b }}\nc: 1", "  \nc: 1"),
            ("{{/* a\n}} is no end: */}}\na: 1", "\n is no end: */}}\na: 1"),
            ("a: {{ \"}}\" }}b", "a: \u{e000}b"),
            ("a: {{ `}}` | quote\n  }}\nb: 1", "a: \n\nb: 1"),
            ("a: {{ never", "a: \u{e000}"),
        ] {
            assert_eq!(without_actions(template), expected, "{template}");
            assert_eq!(without_actions(template).matches('\n').count(), template.matches('\n').count(), "{template}");
        }
    }

    #[test]
    fn knows_what_may_have_been_made_of_a_document() {
        let pod = |name: &str| format!("{{kind: Pod, metadata: {{name: {name}}}}}");
        for (written, made, expected) in [
            (pod("a"), pod("a"), true),
            (pod("a"), pod("b"), false),
            (pod("\u{e000}"), pod("b"), true),
            (pod("\u{e000}-web"), pod("x-web"), true),
            (pod("\u{e000}-web"), pod("x-webs"), false),
            (pod("a-\u{e000}-b-\u{e000}"), pod("a-x-b-"), true),
            (pod("a-\u{e000}-b-\u{e000}"), pod("a-x-c-"), false),
            ("{kind: Pod}".to_owned(), pod("a"), true),
            ("{kind: Service}".to_owned(), pod("a"), false),
            ("{metadata: {name: a}}".to_owned(), pod("a"), false),
        ] {
            let arena = Arena::new();
            let read = |text: &str| {
                let document = yaml::documents(&arena, arena.alloc_str(text)).pop().expect("a document");
                document.expect("YAML").value
            };
            assert_eq!(may_be(read(&written), read(&made)), expected, "{written} {made}");
        }
    }

    #[test]
    fn believes_only_what_stands_in_the_same_place() {
        let template = "\
spec:
  {{- if .Values.debug }}
  hostNetwork: true
  {{- end }}
  containers:
  - name: {{ .Chart.Name }}
    image: a
    securityContext: {{- toYaml .Values.context | nindent 6 }}
  {{- range .Values.more }}
  - name: more-{{ .name }}
    args: [x, y]
  {{- end }}
  tolerations:
  - key: a
  {{- if .Values.b }}
  - key: b
  {{- end }}
";
        let made = "\
spec:
  containers:
  - {name: app, image: a, securityContext: {privileged: true}}
  - {name: more-1, args: [x, y]}
  - {name: more-2, args: [x, y, z]}
  tolerations:
  - key: b
";
        let arena = Arena::new();
        let read = |text: &str| {
            let document = yaml::documents(&arena, arena.alloc_str(text)).pop().expect("a document");
            document.expect("YAML")
        };
        let (written, made) = (read(&without_actions(template)), read(made));
        let lines = shared(&arena, written.lines, written.value, made.value);
        let container =
            |index, field| [Step::Key("spec"), Step::Key("containers"), Step::Index(index), Step::Key(field)];
        for (path, line) in [
            (&container(1, "args")[..], 11),
            (&container(2, "args"), 11),
            (&container(0, "image"), 7),
            (&[Step::Key("spec"), Step::Key("tolerations"), Step::Index(0), Step::Key("key")], 13),
            (&[Step::Key("spec"), Step::Key("none")], 1),
        ] {
            assert_eq!(lines.line(path), line, "{path:?}");
        }
    }
}
