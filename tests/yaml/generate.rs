//! Texts as people and tools write them, and as nobody would.

use crate::json_values::json;
use crate::random::Random;

/// A text: one document, several, JSON, or a mixture; in some encoding.
pub fn text(random: &mut Random) -> Vec<u8> {
    let mut text = match random.below(20) {
        0..=9 => document(random),
        10..=12 => stream(random),
        13..=14 => json(random, 3),
        15..=16 => json_stream(random),
        17 => merges(random),
        18 => merges(random),
        _ => soup(random),
    };
    if random.once_in(12) {
        text = text.replace('\n', random.one(&["\r\n", "\r\n", "\r", "\u{85}", "\r\r\n"]));
    }
    if random.once_in(20) {
        text.insert(0, '\u{feff}');
    }
    if random.chance(85) && !text.ends_with('\n') {
        text.push('\n');
    }
    match random.below(40) {
        0 => [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        1 => [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        _ => text.into_bytes(),
    }
}

fn stream(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(4) {
        text.push_str(random.one(&["", "---\n", "---\n", "--- # next\n", "---\t\n", "---\n---\n", "--- \u{feff}\n"]));
        text.push_str(random.one(&["", "", "", "# Source: a/templates/b.yaml\n", "\u{feff}", "%YAML 1.1\n", "\n"]));
        let document = if random.once_in(5) { json(random, 2) } else { document(random) };
        text.push_str(&document);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(random.one(&["", "", "", "", "...\n", "... # end\n", "# end\n", "--- x\n"]));
    }
    text
}

fn json_stream(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(4) {
        text.push_str(&json(random, 2));
        text.push_str(random.one(&["", "\n", "\n", " ", "\n---\n", "\n# comment\n", ",", "\n\n"]));
    }
    text
}

/// Texts that readers may take for something else.
pub const STRINGS: &[&str] = &[
    "a",
    "b",
    "k",
    "nginx:1.27",
    "yes",
    "no",
    "On",
    "off",
    "y",
    "N",
    "true",
    "False",
    "null",
    "~",
    "Null",
    "0",
    "-0",
    "1",
    "-17",
    "+1",
    "017",
    "08",
    "0o17",
    "0O17",
    "0x1F",
    "0b101",
    "0b+1",
    "-0b-1",
    "-0b11",
    "1_000",
    "_1",
    "1__0",
    "0_7",
    "0x_1",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1.0",
    "1.",
    ".5",
    "+.5",
    "-.5",
    ".",
    "1e3",
    "1E-3",
    "1e400",
    "1e",
    "1.5e300",
    "1e21",
    "123456789012345678901",
    "0.1",
    "1e-7",
    ".inf",
    "-.INF",
    "+.inf",
    ".nan",
    ".NaN",
    ".infinity",
    "inf",
    "nan",
    "1:30",
    "190:20:30",
    "2001-01-01",
    "2001-1-1 1:2:3",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<<",
    "<",
    "500m",
    "1Gi",
    "*.example.com",
    "a b",
    "a  b",
    " a",
    "a ",
    "é",
    "日本",
    "🚀",
    "a: b",
    "a:b",
    "a #b",
    "a#b",
    "#a",
    "- a",
    "-a",
    "--bind",
    "fd00::",
    "::1",
    "[a]",
    "{a}",
    "a,b",
    "?a",
    "? a",
    ":a",
    "a?b",
    "!a",
    "&a",
    "@a",
    "`a`",
    "%a",
    "|a",
    ">a",
    "'",
    "\"",
    "it's",
    "say \"x\"",
    "\\",
    "a\\nb",
    "\t",
    "a\tb",
    "line\nbreak",
    "two\n\nbreaks\n",
    "\n",
    "",
    "trailing \n",
    "  indented\n more\n",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{0}",
    "\u{7}",
    "\u{7f}",
    "---",
    "...",
    "a\n---\nb",
    "http://x:80/#frag",
    "{{ .Values.a }}",
    "x\u{a0}y",
    "\u{ffff}",
];

/// A document of YAML.
fn document(random: &mut Random) -> String {
    let mut writer = Writer { random, out: String::new(), anchors: 0, depth: 0 };
    if writer.random.once_in(8) {
        writer.out.push_str("# comment\n");
    }
    writer.block(0, true);
    if !writer.out.ends_with('\n') && writer.random.chance(90) {
        writer.out.push('\n');
    }
    writer.out
}

struct Writer<'r> {
    random: &'r mut Random,
    out: String,
    anchors: usize,
    depth: usize,
}

impl Writer<'_> {
    fn push(&mut self, choices: &[&str]) {
        let choice = self.random.one(choices);
        self.out.push_str(choice);
    }

    fn string(&mut self) -> &'static str {
        self.random.one(STRINGS)
    }

    /// A node in block style at `indent` columns; `fresh` where a line begins.
    fn block(&mut self, indent: usize, fresh: bool) {
        self.depth += 1;
        match self.random.below(if self.depth > 4 { 4 } else { 10 }) {
            0..=2 => self.scalar(indent),
            3 => self.flow(indent),
            4..=7 => self.mapping(indent, fresh),
            _ => self.sequence(indent, fresh),
        }
        self.depth -= 1;
    }

    fn new_line(&mut self, indent: usize) {
        self.push(&["", "", "", "", " # comment", "\t# tab", " ", "\t"]);
        self.out.push('\n');
        if self.random.once_in(15) {
            self.push(&["\n", "  \n", "# c\n", "      # c\n", "\t\n", "\t# c\n"]);
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn mapping(&mut self, indent: usize, fresh: bool) {
        if !fresh {
            self.properties();
            self.new_line(indent);
        }
        for member in 0..=self.random.below(4) {
            if member > 0 {
                self.new_line(indent);
            }
            self.key();
            self.push(&[":", ":", ":", ":", ":", ":", ":", ":", " :", "\t:"]);
            self.push(&[" ", " ", " ", " ", " ", " ", " ", " ", "\t", "  ", "\t ", " \t", ""]);
            let deeper = self.random.one(&[2, 2, 2, 4, 1, 0]);
            self.block(indent + deeper, false);
        }
    }

    fn key(&mut self) {
        match self.random.below(20) {
            0 => self.out.push_str("? "),
            1 if self.anchors > 0 => {
                let name = self.random.below(self.anchors);
                self.out.push_str(&format!("*x{name} "));
                return;
            }
            2 => return self.push(&["<<", "'<<'", "!!merge <<", "! \"<<\"", "&x0 <<", "!!str <<"]),
            3 => self.properties(),
            _ => {}
        }
        match self.random.below(10) {
            0..=6 => self.push(&["a", "b", "c", "kind", "image", "metadata", "x y", "1", "yes", "1.5", "0x1", "é"]),
            _ => {
                let text = self.string();
                self.inline(text);
            }
        }
    }

    fn sequence(&mut self, indent: usize, fresh: bool) {
        if !fresh {
            self.properties();
            self.new_line(indent);
        }
        for element in 0..=self.random.below(4) {
            if element > 0 {
                self.new_line(indent);
            }
            self.push(&["- ", "- ", "- ", "- ", "- ", "-\t", "-  ", "-", "-\n"]);
            let fresh = self.random.chance(60);
            self.block(indent + 2, fresh);
        }
    }

    fn properties(&mut self) {
        match self.random.below(12) {
            0 => {
                self.out.push_str(&format!("&x{} ", self.anchors));
                self.anchors += 1;
            }
            1 => self.push(&[
                "!!str ",
                "!!int ",
                "!!float ",
                "!!bool ",
                "!!null ",
                "!!map ",
                "!!seq ",
                "!!binary ",
                "!!timestamp ",
                "! ",
                "!local ",
                "!<tag:yaml.org,2002:str> ",
                "!e!x ",
                "!!str &y ",
                "&y !!str ",
                "!a%C3%A9 ",
                "!!set ",
            ]),
            _ => {}
        }
    }

    fn scalar(&mut self, indent: usize) {
        if self.anchors > 0 && self.random.once_in(6) {
            let name = self.random.below(self.anchors + 1);
            self.out.push_str(&format!("*x{name}"));
            return;
        }
        self.properties();
        let text = self.string();
        match self.random.below(10) {
            0..=1 => self.block_scalar(text, indent),
            2 => self.folded_plain(indent),
            _ => self.inline(text),
        }
    }

    /// A scalar that goes on in the next lines.
    fn folded_plain(&mut self, indent: usize) {
        let quote = self.random.one(&["", "\"", "'"]);
        self.out.push_str(quote);
        for line in 0..=self.random.below(3) {
            if line > 0 {
                self.push(&["\n", " \n", "\t\n", "\n\n", "\\\n", "\n \n"]);
                let indent = indent + self.random.one(&[0, 0, 1, 2]);
                self.out.extend(std::iter::repeat_n(' ', indent));
                self.push(&["", "", "", "\t"]);
            }
            self.push(&["word", "two words", "a: b", "x:y", "# no", "é", "- z", "-z", "[", "k:"]);
        }
        self.out.push_str(quote);
    }

    fn block_scalar(&mut self, text: &str, indent: usize) {
        self.push(&["|", ">"]);
        self.push(&["", "", "", "-", "+", "2", "1-", "+1", "9", "0"]);
        self.push(&["", "", "", " # comment", "\t", " "]);
        let indent = indent + self.random.one(&[0, 1, 2, 2]);
        for line in text.split('\n') {
            self.out.push('\n');
            if !line.is_empty() || self.random.chance(30) {
                self.out.extend(std::iter::repeat_n(' ', indent));
            }
            self.out.push_str(line);
        }
        self.push(&["", "", "\n", "\n\n", "\n  \n"]);
    }

    /// A scalar in one of the inline styles, not always one that can hold it.
    fn inline(&mut self, text: &str) {
        match self.random.below(10) {
            0..=4 => self.out.push_str(text),
            5..=6 => {
                let single = format!("'{}'", text.replace('\'', "''"));
                self.out.push_str(&single);
            }
            _ => {
                let double = self.double(text);
                self.out.push_str(&double);
            }
        }
    }

    fn double(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' if self.random.chance(50) => out.push_str("\\t"),
                '\u{85}' => out.push_str("\\N"),
                '\u{2028}' => out.push_str("\\L"),
                c if self.random.once_in(6) => {
                    let code = u32::from(c);
                    out.push_str(&match self.random.below(3) {
                        0 if code < 256 => format!("\\x{code:02x}"),
                        1 if code < 65536 => format!("\\u{code:04X}"),
                        _ => format!("\\U{code:08x}"),
                    });
                }
                c => out.push(c),
            }
        }
        if self.random.once_in(15) {
            out.push_str(self.random.one(&[
                "\\/",
                "\\q",
                "\\ud83d\\ude80",
                "\\udc00",
                "\\U00110000",
                "\\'",
                "\\0",
                "\\ ",
            ]));
        }
        out.push('"');
        out
    }

    fn flow(&mut self, indent: usize) {
        self.depth += 1;
        self.properties();
        let sequence = self.random.chance(50);
        self.out.push(if sequence { '[' } else { '{' });
        for member in 0..self.random.below(4) {
            if member > 0 {
                self.push(&[",", ", ", ", ", " , ", ",\t", ",\n", ",\n  "]);
            }
            self.flow_break(indent);
            if !sequence || self.random.once_in(8) {
                self.push(&["", "", "", "", "", "", "? "]);
                self.key();
                self.push(&[": ", ": ", ": ", ":", " : ", ":\t", ""]);
            }
            if self.depth < 5 && self.random.once_in(4) {
                self.flow(indent);
            } else if self.anchors > 0 && self.random.once_in(8) {
                let name = self.random.below(self.anchors);
                self.out.push_str(&format!("*x{name} "));
            } else {
                self.properties();
                let text = self.string();
                self.inline(text);
            }
            self.flow_break(indent);
        }
        self.push(&["", "", "", ",", " "]);
        self.out.push(if sequence { ']' } else { '}' });
        self.depth -= 1;
    }

    fn flow_break(&mut self, indent: usize) {
        if self.random.once_in(8) {
            self.push(&["\n", " # c\n", "\n\n"]);
            let indent = self.random.one(&[0, indent, indent, indent + 2]);
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.push(&["", "", "\t"]);
        }
    }
}

/// Merge keys in every place, with values that all readers give one type.
fn merges(random: &mut Random) -> String {
    let mut text = String::from("x0: &x0 {a: v0, b: v0}\nx1: &x1 {b: v1, c: v1}\nx2: &x2\n- *x0\n- *x1\n");
    text.push_str("x3: &x3 {<<: *x0, c: v3}\n");
    for name in 0..=random.below(3) {
        let flow = random.chance(50);
        let members: Vec<String> = (0..=random.below(4)).map(|_| merge_member(random, 2)).collect();
        if flow {
            text.push_str(&format!("m{name}: {{{}}}\n", members.join(", ")));
        } else {
            text.push_str(&format!("m{name}:\n  {}\n", members.join("\n  ")));
        }
    }
    text
}

fn merge_member(random: &mut Random, depth: usize) -> String {
    if random.chance(50) {
        return format!("{}: w{}", random.one(&["a", "b", "c", "d"]), random.below(3));
    }
    let key = random.one(&["<<", "<<", "<<", "<<", "!!merge <<", "&y <<", "'<<'", "? <<\n  "]);
    let source = |random: &mut Random| match random.below(8) {
        0..=4 => format!("*x{}", random.below(4)),
        5 => "{a: v5, d: v5}".to_owned(),
        6 if depth > 0 => format!("{{{}, {}}}", merge_member(random, depth - 1), merge_member(random, depth - 1)),
        _ => random.one(&["null", "text", "[]", "{}", "[[]]", "*x9", "''", "~", ""]).to_owned(),
    };
    if random.once_in(3) {
        let sources: Vec<_> = (0..random.below(4)).map(|_| source(random)).collect();
        format!("{key}: [{}]", sources.join(", "))
    } else {
        format!("{key}: {}", source(random))
    }
}

/// Tokens without a plan.
fn soup(random: &mut Random) -> String {
    const TOKENS: &[&str] = &[
        "a", "b", " ", " ", "\n", "\n  ", "\n    ", ": ", ":", "- ", "-", "? ", "?", ",", "[", "]", "{", "}", "#",
        " #", "&x ", "*x", "!", "!!str ", "|", ">", "|\n", ">-\n", "'", "\"", "\t", "~", "1", "<<", "\\", "\u{feff}",
        "é", "---\n", "...\n", "%", "@",
    ];
    (0..random.below(30)).map(|_| random.one(TOKENS)).collect()
}
