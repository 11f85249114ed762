//! Semantic versions, as the package that upstream uses reads and orders them.

use std::cmp::Ordering;
use std::fmt;

use super::quote::quoted;

/// A semantic version.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    pub(in crate::cel) major: u64,
    pub(in crate::cel) minor: u64,
    pub(in crate::cel) patch: u64,
    // INVARIANT: valid identifiers separated by dots, or nothing.
    prerelease: &'a str,
    build: &'a str,
}

/// The precedence of two versions; build metadata has none.
pub fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    (a.major, a.minor, a.patch).cmp(&(b.major, b.minor, b.patch)).then_with(|| {
        match (a.prerelease.is_empty(), b.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                a.prerelease.split('.').map(Identifier::of).cmp(b.prerelease.split('.').map(Identifier::of))
            }
        }
    })
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        compare(self, other) == Ordering::Equal
    }
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}

/// Part of a prerelease; numbers come before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'t> {
    Number(u64),
    Word(&'t str),
}

impl<'t> Identifier<'t> {
    fn of(text: &'t str) -> Self {
        match text.parse() {
            Ok(number) => Identifier::Number(number),
            Err(_) => Identifier::Word(text),
        }
    }
}

impl<'t> Version<'t> {
    /// Parses a version strictly.
    ///
    /// # Errors
    /// The message of the package that upstream uses.
    pub fn parse(text: &'t str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let (major, minor) = (component("Major", major)?, component("Minor", minor)?);
        let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
        let (patch, prerelease) = rest.split_once('-').map_or((rest, None), |(patch, pre)| (patch, Some(pre)));
        let patch = component("Patch", patch)?;
        for identifier in prerelease.into_iter().flat_map(|text| text.split('.')) {
            check_prerelease(identifier)?;
        }
        for identifier in build.into_iter().flat_map(|text| text.split('.')) {
            if identifier.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !is_alphanumeric(identifier) {
                return Err(format!("Invalid character(s) found in build meta data {}", quoted(identifier)));
            }
        }
        Ok(Self { major, minor, patch, prerelease: prerelease.unwrap_or_default(), build: build.unwrap_or_default() })
    }
}

fn component(name: &str, text: &str) -> Result<u64, String> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        let name = name.to_ascii_lowercase();
        return Err(format!("Invalid character(s) found in {name} number {}", quoted(text)));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!("{name} number must not contain leading zeroes {}", quoted(text)));
    }
    parse_uint(text)
}

fn check_prerelease(identifier: &str) -> Result<(), String> {
    if identifier.is_empty() {
        return Err("Prerelease is empty".to_owned());
    }
    if identifier.bytes().all(|b| b.is_ascii_digit()) {
        if identifier.len() > 1 && identifier.starts_with('0') {
            return Err(format!("Numeric PreRelease version must not contain leading zeroes {}", quoted(identifier)));
        }
        return parse_uint(identifier).map(|_| ());
    }
    if !is_alphanumeric(identifier) {
        return Err(format!("Invalid character(s) found in prerelease {}", quoted(identifier)));
    }
    Ok(())
}

/// `strconv.ParseUint` of digits.
fn parse_uint(digits: &str) -> Result<u64, String> {
    digits.parse().map_err(|_| {
        let reason = if digits.is_empty() { "invalid syntax" } else { "value out of range" };
        format!("strconv.ParseUint: parsing {}: {reason}", quoted(digits))
    })
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
