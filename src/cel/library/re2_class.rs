//! Character classes and escapes of Go's regular expressions, written as members of a class of the `regex` crate.

use super::re2::error;

/// A class that matches nothing.
pub const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// The scripts whose names Go finds: those of one word. (It looks names up without their underscores.)
const SCRIPTS: &[&str] = &[
    "Adlam",
    "Ahom",
    "Arabic",
    "Armenian",
    "Avestan",
    "Balinese",
    "Bamum",
    "Batak",
    "Bengali",
    "Bhaiksuki",
    "Bopomofo",
    "Brahmi",
    "Braille",
    "Buginese",
    "Buhid",
    "Carian",
    "Chakma",
    "Cham",
    "Cherokee",
    "Chorasmian",
    "Common",
    "Coptic",
    "Cuneiform",
    "Cypriot",
    "Cyrillic",
    "Deseret",
    "Devanagari",
    "Dogra",
    "Duployan",
    "Elbasan",
    "Elymaic",
    "Ethiopic",
    "Georgian",
    "Glagolitic",
    "Gothic",
    "Grantha",
    "Greek",
    "Gujarati",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hanunoo",
    "Hatran",
    "Hebrew",
    "Hiragana",
    "Inherited",
    "Javanese",
    "Kaithi",
    "Kannada",
    "Katakana",
    "Kawi",
    "Kharoshthi",
    "Khmer",
    "Khojki",
    "Khudawadi",
    "Lao",
    "Latin",
    "Lepcha",
    "Limbu",
    "Lisu",
    "Lycian",
    "Lydian",
    "Mahajani",
    "Makasar",
    "Malayalam",
    "Mandaic",
    "Manichaean",
    "Marchen",
    "Medefaidrin",
    "Miao",
    "Modi",
    "Mongolian",
    "Mro",
    "Multani",
    "Myanmar",
    "Nabataean",
    "Nandinagari",
    "Newa",
    "Nko",
    "Nushu",
    "Ogham",
    "Oriya",
    "Osage",
    "Osmanya",
    "Palmyrene",
    "Phoenician",
    "Rejang",
    "Runic",
    "Samaritan",
    "Saurashtra",
    "Sharada",
    "Shavian",
    "Siddham",
    "Sinhala",
    "Sogdian",
    "Soyombo",
    "Sundanese",
    "Syriac",
    "Tagalog",
    "Tagbanwa",
    "Takri",
    "Tamil",
    "Tangsa",
    "Tangut",
    "Telugu",
    "Thaana",
    "Thai",
    "Tibetan",
    "Tifinagh",
    "Tirhuta",
    "Toto",
    "Ugaritic",
    "Vai",
    "Vithkuqi",
    "Wancho",
    "Yezidi",
    "Yi",
];

/// The general categories, each with its long names as Go's look-up spells them.
const CATEGORIES: &[(&str, &[&str])] = &[
    ("C", &["Other"]),
    ("Cc", &["Control", "Cntrl"]),
    ("Cf", &["Format"]),
    ("Cn", &["Unassigned"]),
    ("Co", &["Privateuse"]),
    ("L", &["Letter"]),
    ("LC", &["Casedletter", "Lc"]),
    ("Ll", &["Lowercaseletter"]),
    ("Lm", &["Modifierletter"]),
    ("Lo", &["Otherletter"]),
    ("Lt", &["Titlecaseletter"]),
    ("Lu", &["Uppercaseletter"]),
    ("M", &["Mark", "Combiningmark"]),
    ("Mc", &["Spacingmark"]),
    ("Me", &["Enclosingmark"]),
    ("Mn", &["Nonspacingmark"]),
    ("N", &["Number"]),
    ("Nd", &["Decimalnumber", "Digit"]),
    ("Nl", &["Letternumber"]),
    ("No", &["Othernumber"]),
    ("P", &["Punctuation", "Punct"]),
    ("Pc", &["Connectorpunctuation"]),
    ("Pd", &["Dashpunctuation"]),
    ("Pe", &["Closepunctuation"]),
    ("Pf", &["Finalpunctuation"]),
    ("Pi", &["Initialpunctuation"]),
    ("Po", &["Otherpunctuation"]),
    ("Ps", &["Openpunctuation"]),
    ("S", &["Symbol"]),
    ("Sc", &["Currencysymbol"]),
    ("Sk", &["Modifiersymbol"]),
    ("Sm", &["Mathsymbol"]),
    ("So", &["Othersymbol"]),
    ("Z", &["Separator"]),
    ("Zl", &["Lineseparator"]),
    ("Zp", &["Paragraphseparator"]),
    ("Zs", &["Spaceseparator"]),
];

const POSIX: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// A place in a pattern.
pub struct Cursor<'p> {
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    /// The beginning of a pattern.
    pub fn new(pattern: &'p str) -> Self {
        Self { rest: pattern }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'p str {
        self.rest
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Reads the next character.
    pub fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    /// Goes on at `rest`, a suffix of what is not read yet.
    pub fn skip_to(&mut self, rest: &'p str) {
        self.rest = rest;
    }

    fn skip(&mut self, prefix: char) -> bool {
        let found = self.peek() == Some(prefix);
        if found {
            self.next();
        }
        found
    }

    fn since<'s>(&self, start: &'s str) -> &'s str {
        start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or(start)
    }
}

/// A code point; Go allows to write surrogates, which no text contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodePoint(u32);

impl CodePoint {
    /// The character, unless it is a surrogate.
    pub fn into_char(self) -> Option<char> {
        char::from_u32(self.0)
    }
}

/// Parses `[…]`.
///
/// # Errors
/// Go's message.
pub fn bracketed(cursor: &mut Cursor<'_>) -> Result<String, String> {
    let whole = cursor.rest();
    cursor.next();
    let mut class = String::from("[");
    if cursor.skip('^') {
        class.push('^');
    }
    let empty = class.len();
    let mut first = true;
    while first || cursor.peek() != Some(']') {
        first = false;
        if let Some(member) = posix(cursor)? {
            class.push_str(&member);
            continue;
        }
        if let Some(member) = escaped(cursor)? {
            class.push_str(&member);
            continue;
        }
        let start = cursor.rest();
        let low = class_character(cursor, whole)?;
        let mut high = low;
        // A minus before the closing bracket is itself.
        if cursor.rest().len() >= 2 && cursor.peek() == Some('-') && !cursor.rest().starts_with("-]") {
            cursor.next();
            high = class_character(cursor, whole)?;
            if high < low {
                return Err(error("invalid character class range", cursor.since(start)));
            }
        }
        push_range(&mut class, low, high);
    }
    cursor.next();
    if class.len() == empty {
        // Only surrogates were listed: nothing, or everything but nothing.
        return Ok(if class.ends_with('^') { r"[\x{0}-\x{10FFFF}]" } else { NOTHING }.to_owned());
    }
    class.push(']');
    Ok(class)
}

/// Parses `\d`, `\pL` and the like, if there is one.
///
/// # Errors
/// A Unicode class that Go does not know.
pub fn escaped(cursor: &mut Cursor<'_>) -> Result<Option<String>, String> {
    let start = cursor.rest();
    let mut after = start.chars();
    if after.next() != Some('\\') {
        return Ok(None);
    }
    let members = match after.next() {
        Some('d') => "0-9",
        Some('D') => "[^0-9]",
        Some('s') => r"\t\n\x0C\r\x20",
        Some('S') => r"[^\t\n\x0C\r\x20]",
        Some('w') => "0-9A-Za-z_",
        Some('W') => "[^0-9A-Za-z_]",
        Some(sign @ ('p' | 'P')) => {
            cursor.skip_to(after.as_str());
            return unicode(cursor, start, sign == 'P').map(Some);
        }
        _ => return Ok(None),
    };
    cursor.skip_to(after.as_str());
    Ok(Some(members.to_owned()))
}

/// Parses a backslash and what it stands for.
///
/// # Errors
/// An escape that Go does not know.
pub fn character(cursor: &mut Cursor<'_>) -> Result<CodePoint, String> {
    let start = cursor.rest();
    cursor.next();
    let Some(c) = cursor.next() else {
        return Err(error("trailing backslash at end of expression", ""));
    };
    let value = match c {
        '1'..='7' if !cursor.peek().is_some_and(|next| next.is_digit(8)) => None,
        '0'..='7' => Some(octal(cursor, c)),
        'x' => hexadecimal(cursor),
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
        _ => None,
    };
    value.map(CodePoint).ok_or_else(|| error("invalid escape sequence", cursor.since(start)))
}

fn class_character(cursor: &mut Cursor<'_>, whole: &str) -> Result<CodePoint, String> {
    match cursor.peek() {
        None => Err(error("missing closing ]", whole)),
        Some('\\') => character(cursor),
        Some(c) => {
            cursor.next();
            Ok(CodePoint(u32::from(c)))
        }
    }
}

fn octal(cursor: &mut Cursor<'_>, first: char) -> u32 {
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = cursor.peek().and_then(|c| c.to_digit(8)) else { break };
        cursor.next();
        value = value * 8 + digit;
    }
    value
}

/// Two digits, or any number of them in braces.
fn hexadecimal(cursor: &mut Cursor<'_>) -> Option<u32> {
    let first = cursor.next()?;
    if first != '{' {
        let second = cursor.next();
        return Some(first.to_digit(16)? * 16 + second?.to_digit(16)?);
    }
    let mut value: u32 = 0;
    let mut digits = 0;
    loop {
        let c = cursor.next()?;
        if c == '}' {
            return (digits > 0).then_some(value);
        }
        value = value * 16 + c.to_digit(16)?;
        if value > u32::from(char::MAX) {
            return None;
        }
        digits += 1;
    }
}

/// Adds a range without the surrogates in it.
fn push_range(class: &mut String, low: CodePoint, high: CodePoint) {
    for (from, to) in [(low.0, high.0.min(0xD7FF)), (low.0.max(0xE000), high.0)] {
        if from <= to {
            class.push_str(&format!("\\x{{{from:X}}}-\\x{{{to:X}}}"));
        }
    }
}

/// Parses `[:name:]`, if there is one.
fn posix(cursor: &mut Cursor<'_>) -> Result<Option<String>, String> {
    let start = cursor.rest();
    let Some((name, rest)) = start.strip_prefix("[:").and_then(|after| after.split_once(":]")) else {
        return Ok(None);
    };
    cursor.skip_to(rest);
    if POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Ok(Some(format!("[:{name}:]")));
    }
    Err(error("invalid character class range", cursor.since(start)))
}

fn unicode(cursor: &mut Cursor<'_>, start: &str, mut negated: bool) -> Result<String, String> {
    let invalid = |sequence: &str| Err(error("invalid character class range", sequence));
    let mut name = match cursor.next() {
        Some('{') => {
            let Some((name, rest)) = cursor.rest().split_once('}') else { return invalid(start) };
            cursor.skip_to(rest);
            name
        }
        _ => cursor.since(start).get(2..).unwrap_or_default(),
    };
    if let Some(rest) = name.strip_prefix('^') {
        negated = !negated;
        name = rest;
    }
    let name = canonical_name(name);
    let members = match name.as_str() {
        "Any" => r"\x{0}-\x{10FFFF}".to_owned(),
        "Assigned" => {
            negated = !negated;
            r"\p{gc=Cn}".to_owned()
        }
        "Ascii" => r"\x{0}-\x{7F}".to_owned(),
        "Cs" | "Surrogate" => NOTHING.to_owned(),
        name => match property(name) {
            Some(property) => property,
            None => return invalid(cursor.since(start)),
        },
    };
    Ok(if negated { format!("[^{members}]") } else { members })
}

fn property(name: &str) -> Option<String> {
    let category = CATEGORIES.iter().find(|(short, long)| *short == name || long.contains(&name));
    if let Some((short, _)) = category {
        return Some(format!(r"\p{{gc={short}}}"));
    }
    SCRIPTS.contains(&name).then(|| format!(r"\p{{sc={name}}}"))
}

/// The name as Go looks it up: one capital letter first, no separators.
fn canonical_name(name: &str) -> String {
    let mut letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters.map(|c| c.to_ascii_lowercase())).collect()
}
