//! Cuts a large file into pieces that can be read on their own.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::json::Arena;
use crate::json::yaml::{Boundary, document_end, json_document};
use crate::manifests::classify::is_helm_template;
use crate::manifests::files::{ReadError, display_name};

use super::json::{Brackets, LargeList, Shape, pass_value};
use super::piece::{Content, Cut, Numbering, Piece, Slice};
use super::window::{Window, newlines};
use super::{MAX_DOCUMENT, PIECE};

/// The pieces of one file, in order.
#[derive(Debug)]
pub struct Cutter {
    cut: Arc<Cut>,
    window: Window<File>,
    state: State,
    /// The lists to come, in order.
    lists: std::vec::IntoIter<LargeList>,
    list: Option<LargeList>,
    numbering: Numbering,
}

#[derive(Clone, Debug)]
enum State {
    /// A chart's template.
    Template,
    /// YAML; whether a separator comes before it.
    Yaml {
        separated: bool,
    },
    /// JSON values, and how many came before.
    Json {
        number: usize,
    },
    /// The items of a list; whether there was one before.
    Items {
        list: LargeList,
        number: usize,
        follows: bool,
    },
    End,
}

/// See [`MAX_DOCUMENT`].
const TOO_LARGE: &str = "a document larger than 32 MiB; split it, or print a list as JSON, whose items are read one by one: \
                         kubectl get -o json";

/// Why a value is not taken.
enum Unfit {
    TooLarge,
    Cut,
}

impl Cutter {
    /// Begins to cut a file; `None` for one that is read as a whole.
    ///
    /// # Errors
    /// It can't be read.
    pub fn new(file: File, name: String, path: Option<PathBuf>, shape: &Shape) -> io::Result<Option<Self>> {
        let is_template = path.as_deref().is_some_and(is_helm_template);
        let (state, lists) = match shape {
            _ if is_template => (State::Template, Vec::new()),
            Shape::Whole => return Ok(None),
            Shape::Yaml => (State::Yaml { separated: false }, Vec::new()),
            Shape::Json(lists) => (State::Json { number: 0 }, lists.clone()),
        };
        let mut lists = lists.into_iter();
        let list = lists.next();
        let cut = Arc::new(Cut { name, path });
        Ok(Some(Self { cut, window: Window::new(file), state, lists, list, numbering: Numbering::from(0) }))
    }

    fn piece(&mut self) -> io::Result<Option<Piece>> {
        // A piece may be empty where one ends and the next is of another kind.
        loop {
            if self.window.line > u64::from(u32::MAX) {
                self.state = State::End;
                let message = format!("more than {} lines; split it", u32::MAX);
                return Ok(Some(self.broken(1, message)));
            }
            let piece = match self.state.clone() {
                State::End => return Ok(None),
                State::Template => {
                    self.state = State::End;
                    Some(Piece::cut(&self.cut, 0, Content::Template))
                }
                State::Yaml { separated } => Some(self.yaml(separated)?),
                State::Json { number } => self.values(number)?,
                State::Items { list, number, follows } => self.items(list, number, follows)?,
            };
            if piece.is_some() {
                return Ok(piece);
            }
        }
    }

    /// As many whole documents as make a piece.
    fn yaml(&mut self, separated: bool) -> io::Result<Piece> {
        let mut cuts: Vec<Boundary> = Vec::new();
        // The document that is looked at, and how much of it has been.
        let (mut begin, mut looked_at) = (0, 0);
        let is_last = loop {
            match document_end(self.window.rest().get(begin..).unwrap_or_default(), looked_at) {
                Some(Boundary { end, .. }) if end > MAX_DOCUMENT => match cuts.is_empty() {
                    true => return self.too_large(),
                    false => break false,
                },
                Some(Boundary { end, next, is_clean }) => {
                    if is_clean {
                        cuts.push(Boundary { end: begin + end, next: begin + next, is_clean });
                    }
                    (begin, looked_at) = (begin + next, 0);
                    if begin >= PIECE && !cuts.is_empty() {
                        break false;
                    }
                }
                None if self.window.rest().len() >= PIECE && !cuts.is_empty() && !self.window.at_end => break false,
                None if self.window.rest().len() - begin > MAX_DOCUMENT => match cuts.is_empty() {
                    true => return self.too_large(),
                    false => break false,
                },
                None if self.window.at_end => break true,
                None => {
                    looked_at = self.window.rest().len() - begin;
                    self.window.fill()?;
                }
            }
        };
        let all = self.window.rest().len();
        let end = match cuts.last() {
            Some(last) if !is_last => *last,
            _ => Boundary { end: all, next: all, is_clean: true },
        };
        let bytes = self.window.rest().get(..end.end).unwrap_or_default();
        let (end, text) = match std::str::from_utf8(bytes) {
            Ok(text) => (end, text.to_owned()),
            Err(error) => {
                let bad = error.valid_up_to();
                match cuts.iter().rfind(|cut| cut.next <= bad) {
                    Some(before) => {
                        let text = String::from_utf8_lossy(bytes.get(..before.end).unwrap_or_default());
                        (*before, text.into_owned())
                    }
                    None => {
                        let next = cuts.iter().find(|cut| cut.end > bad).map_or(end, |cut| *cut);
                        let line = self.window.line + newlines(bytes.get(..bad).unwrap_or_default());
                        let at = self.window.offset + bad as u64;
                        return Ok(self.pass_broken(
                            next.next,
                            line,
                            format!("not UTF-8 (byte {at}); save the file as UTF-8"),
                        ));
                    }
                }
            }
        };
        let line = line_number(self.window.line);
        let numbers = self.numbering.next();
        self.window.pass(end.next);
        self.state = if end.next == all && is_last { State::End } else { State::Yaml { separated: true } };
        Ok(Piece::cut(&self.cut, end.next, Content::Yaml { text, line, separated, numbers }))
    }

    /// The piece of a document that can't be read, which takes so many bytes.
    fn pass_broken(&mut self, count: usize, line: u64, message: String) -> Piece {
        self.window.pass(count);
        let is_end = self.window.at_end && self.window.rest().is_empty();
        self.state = if is_end { State::End } else { State::Yaml { separated: true } };
        let mut piece = self.broken(line, message);
        piece.bytes = count as u64;
        piece
    }

    /// Passes a document without an end up to the next separator.
    fn too_large(&mut self) -> io::Result<Piece> {
        let line = self.window.line;
        let begin = self.window.offset;
        let is_end = !self.pass_to_separator()?;
        self.state = if is_end { State::End } else { State::Yaml { separated: false } };
        let mut piece = self.broken(line, TOO_LARGE.to_owned());
        piece.bytes = self.window.offset - begin;
        Ok(piece)
    }

    /// Passes everything before the next line that begins with `---`; false if there is none.
    fn pass_to_separator(&mut self) -> io::Result<bool> {
        const SEPARATOR: &[u8] = b"\n---";
        loop {
            let rest = self.window.rest();
            if let Some(at) = memchr::memmem::find(rest, SEPARATOR) {
                self.window.pass(at + 1);
                return Ok(true);
            }
            if self.window.at_end {
                self.window.pass(rest.len());
                return Ok(false);
            }
            self.window.pass(rest.len().saturating_sub(SEPARATOR.len() - 1));
            self.window.fill()?;
        }
    }

    /// As many JSON values as make a piece, up to a large list or to what is no JSON.
    fn values(&mut self, first: usize) -> io::Result<Option<Piece>> {
        let mut slices: Vec<Slice> = Vec::new();
        let (mut end, mut line) = (0, self.window.line);
        while end < PIECE {
            let begin = self.window.skip_space(end)?;
            line += newlines(self.between(end, begin));
            let number = first + slices.len();
            match self.window.peek(begin)? {
                Some(b'{') => {}
                Some(_) if slices.is_empty() => return self.no_json(begin, number),
                other => {
                    if other.is_none() {
                        self.state = State::End;
                    } else {
                        self.state = State::Json { number };
                    }
                    return self.json(slices, end, first, None);
                }
            }
            let offset = self.window.offset + begin as u64;
            if let Some(list) = self.list.take_if(|list| list.begin == offset) {
                let piece = self.json(slices, end, first, None)?;
                self.list = self.lists.next();
                self.window.jump(list.items.0, list.items.1)?;
                self.state = State::Items { list, number, follows: false };
                return Ok(piece);
            }
            end = match self.value_end(begin)? {
                Ok(end) => end,
                Err(_) if !slices.is_empty() => break,
                Err(Unfit::Cut) => {
                    self.state = State::End;
                    let all = self.window.rest().len();
                    slices.push(Slice { begin, end: all, line: line_number(line) });
                    return self.json(slices, all, first, None);
                }
                Err(Unfit::TooLarge) => {
                    self.window.pass(begin);
                    pass_value(&mut self.window, |_| {})?;
                    self.state = State::Json { number: number + 1 };
                    self.numbering = Numbering::from(number);
                    return Ok(Some(self.broken(line, TOO_LARGE.to_owned())));
                }
            };
            slices.push(Slice { begin, end, line: line_number(line) });
            line += newlines(self.between(begin, end));
        }
        self.state = State::Json { number: first + slices.len() };
        self.json(slices, end, first, None)
    }

    /// Goes on with what follows JSON: as `kubectl`, which reads YAML behind at most one value.
    fn no_json(&mut self, begin: usize, number: usize) -> io::Result<Option<Piece>> {
        self.numbering = Numbering::from(number);
        self.state = State::Yaml { separated: false };
        if number <= 1 {
            let blanks = self.between(0, begin);
            let line_end = memchr::memchr(b'\n', blanks).map_or(begin, |at| at + 1);
            self.window.pass(line_end);
            return Ok(None);
        }
        self.window.pass(begin);
        let line = self.window.line;
        let beginning = self.window.rest().get(..64).unwrap_or(self.window.rest());
        let beginning = String::from_utf8_lossy(beginning);
        let problem = json_document(&Arena::new(), &beginning, 1).err().map_or_else(String::new, |error| error.message);
        if !self.window.rest().starts_with(b"---") && !self.pass_to_separator()? {
            self.state = State::End;
        }
        Ok(Some(self.broken(line, format!("not valid YAML: {problem}"))))
    }

    /// As many items of a large list as make a piece.
    fn items(&mut self, list: LargeList, number: usize, mut follows: bool) -> io::Result<Option<Piece>> {
        let mut slices: Vec<Slice> = Vec::new();
        let (mut end, mut line) = (0, self.window.line);
        let problem = loop {
            if end >= PIECE {
                break None;
            }
            let mut begin = self.window.skip_space(end)?;
            line += newlines(self.between(end, begin));
            match self.window.peek(begin)? {
                Some(b']') => {
                    let piece = self.json(slices, begin, number, Some(&list))?;
                    self.window.jump(list.end.0, list.end.1)?;
                    self.state = State::Json { number: number + 1 };
                    return Ok(piece);
                }
                Some(b',') if follows => {
                    let behind = self.window.skip_space(begin + 1)?;
                    line += newlines(self.between(begin, behind));
                    begin = behind;
                }
                _ if follows => break Some("expected ',' or ']' behind an item of this list"),
                _ => {}
            }
            if matches!(self.window.peek(begin)?, None | Some(b',' | b']' | b'}' | b':')) {
                break Some("expected an item of this list");
            }
            end = match self.value_end(begin)? {
                Ok(end) => end,
                Err(Unfit::Cut) => break Some("this list has no end"),
                Err(Unfit::TooLarge) => break Some("an item of this list is larger than 32 MiB"),
            };
            slices.push(Slice { begin, end, line: line_number(line) });
            line += newlines(self.between(begin, end));
            follows = true;
        };
        match problem {
            None => {
                self.state = State::Items { list: list.clone(), number, follows };
                self.json(slices, end, number, Some(&list))
            }
            // What was found before it is judged first.
            Some(_) if !slices.is_empty() => {
                self.state = State::Items { list: list.clone(), number, follows };
                self.json(slices, end, number, Some(&list))
            }
            Some(problem) => {
                self.window.jump(list.end.0, list.end.1)?;
                self.state = State::Json { number: number + 1 };
                let message = format!("not valid YAML: not valid JSON: {problem}; the items behind it are not read");
                self.numbering = Numbering::from(number);
                Ok(Some(self.broken(line, message)))
            }
        }
    }

    /// The piece of these values, which stand in the next `end` bytes; `None` if there is none of them.
    fn json(
        &mut self,
        slices: Vec<Slice>,
        end: usize,
        number: usize,
        list: Option<&LargeList>,
    ) -> io::Result<Option<Piece>> {
        let bytes = self.between(0, end);
        let piece = (!slices.is_empty()).then(|| {
            let list = list.map(|list| Arc::clone(&list.head));
            let content = Content::Json { bytes: bytes.to_vec(), slices, number, list };
            Piece::cut(&self.cut, end, content)
        });
        self.window.pass(end);
        Ok(piece)
    }

    /// Where the value that begins `begin` behind the window's place ends.
    fn value_end(&mut self, begin: usize) -> io::Result<Result<usize, Unfit>> {
        let mut brackets = Brackets::default();
        let mut at = begin;
        loop {
            if let Some(end) = brackets.walk(self.window.rest().get(at..).unwrap_or_default()) {
                return Ok(if at + end - begin > MAX_DOCUMENT { Err(Unfit::TooLarge) } else { Ok(at + end) });
            }
            at = self.window.rest().len();
            if at - begin > MAX_DOCUMENT {
                return Ok(Err(Unfit::TooLarge));
            }
            if self.window.at_end {
                return Ok(Err(Unfit::Cut));
            }
            self.window.fill()?;
        }
    }

    fn between(&self, begin: usize, end: usize) -> &[u8] {
        self.window.rest().get(begin..end).unwrap_or_default()
    }

    fn broken(&mut self, line: u64, message: String) -> Piece {
        let numbers = self.numbering.next();
        Piece::cut(&self.cut, 0, Content::Broken { line: line_number(line), message, numbers })
    }
}

impl Iterator for Cutter {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        match self.piece() {
            Ok(piece) => piece,
            Err(error) => {
                self.state = State::End;
                let name = self.cut.path.as_deref().map_or_else(|| self.cut.name.clone(), display_name);
                Some(Piece::unread(ReadError { name, problem: error.to_string() }))
            }
        }
    }
}

fn line_number(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
