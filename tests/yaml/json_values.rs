//! JSON values, mostly right, as they may stand in a stream.

use crate::generate::STRINGS;
use crate::random::Random;

/// A JSON value, mostly an object.
pub fn json(random: &mut Random, depth: usize) -> String {
    let blank = |random: &mut Random| random.one(&["", "", "", " ", "\n", "\n  ", "\t", "\r\n"]);
    match if depth == 0 { random.below(5) } else { 5 + random.below(6) } {
        0 => random.one(&["null", "true", "false"]).to_owned(),
        1..=2 => random
            .one(&[
                "0",
                "-0",
                "1",
                "-17",
                "1.0",
                "1e3",
                "1E+2",
                "0.1",
                "9223372036854775807",
                "9223372036854775808",
                "1e400",
                "1.",
                "01",
                "+1",
                ".5",
                "0x1",
                "1e-7",
                "-9223372036854775809",
                "yes",
                "12345678901234567890123",
            ])
            .to_owned(),
        3..=4 => json_string(random),
        5..=8 => {
            let members = (0..random.below(4)).map(|_| {
                let key = if random.chance(70) {
                    format!("\"{}\"", random.one(&["a", "b", "c", "kind", "image", "<<"]))
                } else {
                    json_string(random)
                };
                let (before, after) = (blank(random), blank(random));
                format!("{before}{key}:{after}{}", json(random, depth - 1))
            });
            let members: Vec<_> = members.collect();
            format!("{{{}{}}}", members.join(","), random.one(&["", "", "", "", "", "", ",", "\n"]))
        }
        _ => {
            let elements: Vec<_> =
                (0..random.below(4)).map(|_| format!("{}{}", blank(random), json(random, depth - 1))).collect();
            format!("[{}]", elements.join(","))
        }
    }
}

fn json_string(random: &mut Random) -> String {
    let mut out = String::from("\"");
    for c in random.one(STRINGS).chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' && random.chance(90) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if random.once_in(8) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    if random.once_in(10) {
        out.push_str(random.one(&["\\/", "\\ud83d", "\\ude80\\ud83d", "\\q", "\\b\\f\\r", "\\x41", "\t"]));
    }
    out.push('"');
    out
}
