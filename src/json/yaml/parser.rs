//! From tokens to events, by the grammar of libyaml's parser.
//!
//! The grammar is recursive, the parser is not: what it will expect once a node is complete waits on a stack, so that
//! nesting costs memory of the heap only.

use super::cursor::{Located, Mark};
use super::fault::Fault;
use super::scanner::{Scanner, Token};
use crate::json::Arena;

/// What the tree is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// The text ends.
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Scalar {
        text: &'a str,
        plain: bool,
        properties: Properties<'a>,
    },
    Alias(&'a str),
    SequenceStart(Properties<'a>),
    SequenceEnd,
    MappingStart(Properties<'a>),
    MappingEnd,
}

/// What may stand before a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties<'a> {
    pub anchor: Option<&'a str>,
    pub tag: Option<&'a str>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    DocumentStart {
        first: bool,
    },
    DocumentContent,
    DocumentEnd,
    Node {
        block: bool,
        indentless: bool,
    },
    SequenceEntry,
    IndentlessEntry,
    MappingKey,
    MappingValue,
    FlowSequenceEntry {
        first: bool,
    },
    PairKey,
    PairValue,
    PairEnd,
    FlowMappingKey {
        first: bool,
    },
    FlowMappingValue,
    /// A flow mapping's key stood alone.
    FlowMappingNoValue,
    End,
}

/// Turns a text into events.
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    /// What is due when the current node is complete, innermost last.
    states: Vec<State>,
}

type Step<'a> = Result<(Event<'a>, Mark), Located>;

impl<'a> Parser<'a> {
    /// The events of `text`, whose first line is called `line`.
    pub fn new(arena: &'a Arena, text: &'a str, line: u32) -> Self {
        Self {
            scanner: Scanner::new(arena, text, line),
            state: State::DocumentStart { first: true },
            states: Vec::with_capacity(16),
        }
    }

    /// The next event and where it begins.
    pub fn next(&mut self) -> Step<'a> {
        match self.state {
            State::DocumentStart { first } => self.document_start(first),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::Node { block, indentless } => self.node(block, indentless),
            State::SequenceEntry => self.sequence_entry(),
            State::IndentlessEntry => self.indentless_entry(),
            State::MappingKey => self.mapping_key(),
            State::MappingValue => self.mapping_value(),
            State::FlowSequenceEntry { first } => self.flow_sequence_entry(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => {
                let (_, mark) = self.scanner.peek()?;
                self.state = State::FlowSequenceEntry { first: false };
                Ok((Event::MappingEnd, mark))
            }
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingNoValue => {
                let (_, mark) = self.scanner.peek()?;
                self.empty(State::FlowMappingKey { first: false }, mark)
            }
            State::End => Ok((Event::StreamEnd, self.scanner.peek()?.1)),
        }
    }

    fn document_start(&mut self, first: bool) -> Step<'a> {
        let (mut token, mut mark) = self.scanner.peek()?;
        while !first && token == Token::DocumentEnd {
            self.scanner.skip();
            (token, mark) = self.scanner.peek()?;
        }
        match token {
            Token::StreamEnd => {
                self.state = State::End;
                return Ok((Event::StreamEnd, mark));
            }
            Token::DocumentStart => {
                self.scanner.skip();
                self.state = State::DocumentContent;
            }
            _ if first => self.state = State::Node { block: true, indentless: false },
            _ => return Err((Fault::SecondDocument, mark)),
        }
        self.states.push(State::DocumentEnd);
        Ok((Event::DocumentStart, mark))
    }

    fn document_content(&mut self) -> Step<'a> {
        match self.scanner.peek()? {
            (Token::DocumentStart | Token::DocumentEnd | Token::StreamEnd, mark) => self.empty_and_pop(mark),
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Step<'a> {
        let (token, mark) = self.scanner.peek()?;
        if token == Token::DocumentEnd {
            self.scanner.skip();
        }
        self.state = State::DocumentStart { first: false };
        Ok((Event::DocumentEnd, mark))
    }

    /// Goes on with what waits for the node that is complete now.
    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// A node that isn't there.
    fn empty(&mut self, next: State, mark: Mark) -> Step<'a> {
        self.state = next;
        Ok((Event::Scalar { text: "", plain: true, properties: Properties::default() }, mark))
    }

    fn empty_and_pop(&mut self, mark: Mark) -> Step<'a> {
        let next = self.states.pop().unwrap_or(State::End);
        self.empty(next, mark)
    }

    /// A node, after which `next` is due.
    fn node_then(&mut self, next: State, block: bool, indentless: bool) -> Step<'a> {
        self.states.push(next);
        self.node(block, indentless)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Step<'a> {
        let (mut token, mark) = self.scanner.peek()?;
        if let Token::Alias(name) = token {
            self.scanner.skip();
            self.pop();
            return Ok((Event::Alias(name), mark));
        }
        let mut properties = Properties::default();
        let mut found = mark;
        loop {
            match token {
                Token::Anchor(name) if properties.anchor.is_none() => properties.anchor = Some(name),
                Token::Tag(tag) if properties.tag.is_none() => properties.tag = Some(tag),
                Token::UndefinedTag(handle) if properties.tag.is_none() => {
                    return Err((Fault::TagHandle(handle.to_owned()), found));
                }
                _ => break,
            }
            self.scanner.skip();
            (token, found) = self.scanner.peek()?;
        }
        let event = match token {
            Token::BlockEntry if indentless => {
                self.state = State::IndentlessEntry;
                return Ok((Event::SequenceStart(properties), mark));
            }
            Token::Scalar { text, plain } => {
                self.pop();
                Event::Scalar { text, plain, properties }
            }
            Token::FlowSequenceStart => {
                self.state = State::FlowSequenceEntry { first: true };
                Event::SequenceStart(properties)
            }
            Token::FlowMappingStart => {
                self.state = State::FlowMappingKey { first: true };
                Event::MappingStart(properties)
            }
            Token::BlockSequenceStart if block => {
                self.state = State::SequenceEntry;
                Event::SequenceStart(properties)
            }
            Token::BlockMappingStart if block => {
                self.state = State::MappingKey;
                Event::MappingStart(properties)
            }
            _ if properties != Properties::default() => {
                self.pop();
                return Ok((Event::Scalar { text: "", plain: true, properties }, mark));
            }
            _ => return Err((Fault::NoNode, found)),
        };
        self.scanner.skip();
        Ok((event, mark))
    }

    fn sequence_entry(&mut self) -> Step<'a> {
        match self.scanner.peek()? {
            (Token::BlockEntry, mark) => {
                self.scanner.skip();
                match self.scanner.peek()?.0 {
                    Token::BlockEntry | Token::BlockEnd => self.empty(State::SequenceEntry, mark),
                    _ => self.node_then(State::SequenceEntry, true, false),
                }
            }
            (Token::BlockEnd, mark) => {
                self.scanner.skip();
                self.pop();
                Ok((Event::SequenceEnd, mark))
            }
            (_, mark) => Err((Fault::Expected("'-' and another element, or the end of the list"), mark)),
        }
    }

    /// A list whose dashes stand below their key's first character.
    fn indentless_entry(&mut self) -> Step<'a> {
        let (token, mark) = self.scanner.peek()?;
        if token != Token::BlockEntry {
            self.pop();
            return Ok((Event::SequenceEnd, mark));
        }
        self.scanner.skip();
        match self.scanner.peek()?.0 {
            Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd => self.empty(State::IndentlessEntry, mark),
            _ => self.node_then(State::IndentlessEntry, true, false),
        }
    }

    fn mapping_key(&mut self) -> Step<'a> {
        match self.scanner.peek()? {
            (Token::Key, mark) => {
                self.scanner.skip();
                match self.scanner.peek()?.0 {
                    Token::Key | Token::Value | Token::BlockEnd => self.empty(State::MappingValue, mark),
                    _ => self.node_then(State::MappingValue, true, true),
                }
            }
            (Token::BlockEnd, mark) => {
                self.scanner.skip();
                self.pop();
                Ok((Event::MappingEnd, mark))
            }
            (_, mark) => Err((Fault::Expected("a key at the column of the others, or the end of the mapping"), mark)),
        }
    }

    fn mapping_value(&mut self) -> Step<'a> {
        let (token, mark) = self.scanner.peek()?;
        if token != Token::Value {
            return self.empty(State::MappingKey, mark);
        }
        self.scanner.skip();
        match self.scanner.peek()?.0 {
            Token::Key | Token::Value | Token::BlockEnd => self.empty(State::MappingKey, mark),
            _ => self.node_then(State::MappingKey, true, true),
        }
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Step<'a> {
        let (mut token, mut mark) = self.scanner.peek()?;
        if token != Token::FlowSequenceEnd {
            if !first {
                if token != Token::FlowEntry {
                    return Err((Fault::Expected("',' or ']'"), mark));
                }
                self.scanner.skip();
                (token, mark) = self.scanner.peek()?;
            }
            match token {
                Token::Key => {
                    self.scanner.skip();
                    self.state = State::PairKey;
                    return Ok((Event::MappingStart(Properties::default()), mark));
                }
                Token::FlowSequenceEnd => {}
                _ => return self.node_then(State::FlowSequenceEntry { first: false }, false, false),
            }
        }
        self.scanner.skip();
        self.pop();
        Ok((Event::SequenceEnd, mark))
    }

    /// The key of a mapping of one member that stands in a list without braces.
    fn pair_key(&mut self) -> Step<'a> {
        match self.scanner.peek()? {
            (Token::Value | Token::FlowEntry | Token::FlowSequenceEnd, mark) => {
                // Upstream drops the token here, the colon too.
                self.scanner.skip();
                self.empty(State::PairValue, mark)
            }
            _ => self.node_then(State::PairValue, false, false),
        }
    }

    fn pair_value(&mut self) -> Step<'a> {
        let (token, mark) = self.scanner.peek()?;
        if token == Token::Value {
            self.scanner.skip();
            if !matches!(self.scanner.peek()?.0, Token::FlowEntry | Token::FlowSequenceEnd) {
                return self.node_then(State::PairEnd, false, false);
            }
        }
        self.empty(State::PairEnd, mark)
    }

    fn flow_mapping_key(&mut self, first: bool) -> Step<'a> {
        let (mut token, mut mark) = self.scanner.peek()?;
        if token != Token::FlowMappingEnd {
            if !first {
                if token != Token::FlowEntry {
                    return Err((Fault::Expected("',' or '}'"), mark));
                }
                self.scanner.skip();
                (token, mark) = self.scanner.peek()?;
            }
            match token {
                Token::Key => {
                    self.scanner.skip();
                    return match self.scanner.peek()? {
                        (Token::Value | Token::FlowEntry | Token::FlowMappingEnd, mark) => {
                            self.empty(State::FlowMappingValue, mark)
                        }
                        _ => self.node_then(State::FlowMappingValue, false, false),
                    };
                }
                Token::FlowMappingEnd => {}
                _ => return self.node_then(State::FlowMappingNoValue, false, false),
            }
        }
        self.scanner.skip();
        self.pop();
        Ok((Event::MappingEnd, mark))
    }

    fn flow_mapping_value(&mut self) -> Step<'a> {
        let (token, mark) = self.scanner.peek()?;
        if token == Token::Value {
            self.scanner.skip();
            if !matches!(self.scanner.peek()?.0, Token::FlowEntry | Token::FlowMappingEnd) {
                return self.node_then(State::FlowMappingKey { first: false }, false, false);
            }
        }
        self.empty(State::FlowMappingKey { first: false }, mark)
    }
}
