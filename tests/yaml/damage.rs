//! Texts that something happened to.

use crate::random::Random;

/// Bytes that mean something to YAML or JSON.
const TELLING: &[&[u8]] = &[
    b"\t",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"-",
    b"- ",
    b"?",
    b"? ",
    b":",
    b": ",
    b",",
    b"[",
    b"]",
    b"{",
    b"}",
    b"#",
    b" #",
    b"&a ",
    b"*a",
    b"!",
    b"!!str ",
    b"!!int ",
    b"|",
    b">",
    b"'",
    b"\"",
    b"%",
    b"@",
    b"`",
    b"\\",
    b"\n---\n",
    b"\n...\n",
    b"<<: ",
    b"~",
    b"0",
    b"_",
    b".",
    b"\xEF\xBB\xBF",
    b"\xC2\x85",
    b"\xE2\x80\xA8",
    b"\xC3\xA9",
    b"\x00",
    b"\x7F",
    b"\xFF",
    b"\\ud83d",
    b"\n- ",
    b"\n  ",
    b"\n\t",
    b"---",
    b"...",
    b"%YAML 1.1\n",
];

/// The text after a few accidents.
pub fn damaged(random: &mut Random, mut text: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        accident(random, &mut text);
    }
    text
}

fn accident(random: &mut Random, text: &mut Vec<u8>) {
    let at = random.below(text.len() + 1);
    match random.below(11) {
        0 => text.truncate(at),
        1 if at < text.len() => {
            text.remove(at);
        }
        2 if at < text.len() => text[at] = random.one(&random_bytes()),
        3..=5 => {
            let piece = random.one(TELLING);
            text.splice(at..at, piece.iter().copied());
        }
        6 => without_line(random, text),
        7 => {
            let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            let mut lines = lines.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
            if !lines.is_empty() {
                let (a, b) = (random.below(lines.len()), random.below(lines.len()));
                lines.swap(a, b);
            }
            *text = lines.concat();
        }
        // Tabs for blanks, and the other way round.
        8 => {
            let blanks: Vec<usize> = (0..text.len()).filter(|i| matches!(text[*i], b' ' | b'\t')).collect();
            if !blanks.is_empty() {
                let at = random.one(&blanks);
                text[at] = if text[at] == b' ' { b'\t' } else { b' ' };
            }
        }
        9 => {
            let end = (at + random.below(12)).min(text.len());
            let piece = text[at..end].to_vec();
            let to = random.below(text.len() + 1);
            text.splice(to..to, piece);
        }
        _ => {
            let end = (at + random.below(8)).min(text.len());
            text.drain(at..end);
        }
    }
}

fn without_line(random: &mut Random, text: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if !lines.is_empty() {
        lines.remove(random.below(lines.len()));
    }
    *text = lines.concat();
}

fn random_bytes() -> [u8; 16] {
    *b" \t\n\r-:?,[]{}#&*!"
}
