//! Patterns in which `*` stands for any text and `?` for any one character.

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// The pattern that `text` spells.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The one text that matches, if the pattern is no more than a text.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(self.0.as_str())
    }

    /// Whether the whole of `text` matches. Takes time proportional to the product of the lengths at worst.
    pub fn matches(&self, text: &str) -> bool {
        let mut pattern = self.0.chars();
        let mut rest = text.chars();
        // Where to go on when the text after the last star turns out not to match: with one character more in the star.
        let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            let here = rest.clone();
            let matched = match (pattern.next(), rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    rest = here;
                    retry = Some((pattern.clone(), rest.clone()));
                    true
                }
                (Some('?'), Some(_)) => true,
                (Some(wanted), Some(found)) => wanted == found,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if !matched {
                let Some((after_star, mut swallowed)) = retry.take() else { return false };
                if swallowed.next().is_none() {
                    return false;
                }
                pattern = after_star.clone();
                rest = swallowed.clone();
                retry = Some((after_star, swallowed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_shells_do() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("pss-*", "pss-baseline", true),
            ("pss-*", "xpss-", false),
            ("*-seccomp", "pss-baseline-seccomp", true),
            ("*-seccomp", "pss-seccomp-x", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXcYb", false),
            ("?", "é", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("**a", "bba", true),
            ("ghcr.io/*/jellyfin:*", "ghcr.io/linuxserver/jellyfin:10.9", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_text() {
        for (pattern, literal) in [("a", Some("a")), ("", Some("")), ("a*", None), ("?", None)] {
            assert_eq!(Glob::new(pattern).literal(), literal, "{pattern}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!Glob::new(&pattern).matches(&"a".repeat(2000)));
    }
}
