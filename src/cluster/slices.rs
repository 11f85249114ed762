//! The members of a JSON object and the elements of an array as slices of the text, without looking into them: so that
//! one object that can't be read doesn't keep the others of a list from being read.

/// The members of the object that `text` is; `None` if it isn't one. Keys are as written, without their quotes.
pub fn members(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut members = Vec::new();
    scanner.open(b'{')?;
    while !scanner.close(b'}') {
        let key = scanner.value()?;
        scanner.open(b':')?;
        let value = scanner.value()?;
        members.push((key.get(1..key.len().saturating_sub(1))?, value));
        scanner.comma(b'}')?;
    }
    scanner.end().then_some(members)
}

/// The elements of the array that `text` is; `None` if it isn't one.
pub fn elements(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut elements = Vec::new();
    scanner.open(b'[')?;
    while !scanner.close(b']') {
        elements.push(scanner.value()?);
        scanner.comma(b']')?;
    }
    scanner.end().then_some(elements)
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Scanner<'t> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn open(&mut self, bracket: u8) -> Option<()> {
        (self.peek()? == bracket).then(|| self.at += 1)
    }

    /// Whether the container ends here.
    fn close(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        self.at += usize::from(closes);
        closes
    }

    /// Passes the comma between two; the bracket that closes is left.
    fn comma(&mut self, bracket: u8) -> Option<()> {
        match self.peek()? {
            b',' => self.at += 1,
            byte if byte == bracket => {}
            _ => return None,
        }
        Some(())
    }

    fn end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Passes one value of any depth.
    fn value(&mut self) -> Option<&'t [u8]> {
        self.peek()?;
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.text.get(self.at)? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
            let ends = || match self.text.get(self.at) {
                None => true,
                Some(next) => matches!(next, b',' | b':' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'),
            };
            if depth == 0 && ends() {
                return self.text.get(start..self.at);
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_members_and_elements_whatever_is_in_them() {
        let text = br#" {"kind": "List", "n":-1.5e3,"items" : [ {"a":"]}\"\\"}, [[], {}] ,true, "x"], "e": {}} "#;
        let found = members(text).expect("an object");
        let text = |slice: &[u8]| String::from_utf8_lossy(slice).into_owned();
        let keys: Vec<_> = found.iter().map(|(key, _)| text(key)).collect();
        assert_eq!(keys, ["kind", "n", "items", "e"]);
        assert_eq!(text(found[1].1), "-1.5e3");
        let items: Vec<_> = elements(found[2].1).expect("an array").into_iter().map(text).collect();
        assert_eq!(items, [r#"{"a":"]}\"\\"}"#, "[[], {}]", "true", r#""x""#]);
        assert_eq!(elements(b"[]"), Some(Vec::new()));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("[{}{},1]", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(elements(deep.as_bytes()).map(|found| found.len()), Some(2));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_none() {
        for text in ["", "[", "[1", "[1,", "{\"a\":1}", "[1]]", "[\"a]", "[\"\\", "1"] {
            assert_eq!(elements(text.as_bytes()), None, "{text}");
        }
        for text in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "[]", "{\"a\" 1}", "{1}"] {
            assert_eq!(members(text.as_bytes()), None, "{text}");
        }
    }
}
