//! What can be wrong with a document.

use super::MAX_ALIAS_WEIGHT;

/// Why a text is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the text is longer than {0} bytes; split it")]
    TooLong(usize),
    #[error("not valid JSON: {0}")]
    Json(String),
    #[error("only a comment may follow '---' on its line; put the document on the next line")]
    Separator,
    #[error("a byte order mark within the text; remove it")]
    ByteOrderMark,
    #[error("kubectl takes no directives: it cuts the text at '---', which ends them; remove this line")]
    Directive,
    #[error("the document ended before this, and kubectl drops what follows; begin the next one with a line '---'")]
    SecondDocument,
    #[error("the control character U+{0:04X} must be written as an escape in double quotes")]
    Control(u32),
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("expected a value here")]
    NoNode,
    #[error("no value can begin with {0:?}; put it in quotes")]
    NoToken(char),
    #[error("{0} is not allowed here; values with ': ' or '- ' in them need quotes")]
    NotHere(&'static str),
    #[error("expected ':' after this key, in its line")]
    NoColon,
    #[error("a tab is no indentation; use spaces")]
    TabIndent,
    #[error("the closing quote is missing: the {0} ends first")]
    Quote(&'static str),
    #[error("unknown escape behind a '\\'; write '\\\\' for a backslash")]
    Escape,
    #[error("the escape needs {0} hexadecimal digits")]
    Hex(usize),
    #[error("the escape {0} is no character; outside of JSON files surrogate pairs are written \\U and eight digits")]
    Surrogate(String),
    #[error("a block's indentation indicator is a digit from 1 to 9")]
    BlockIndent,
    #[error("only a comment may follow '|' or '>' on its line")]
    BlockHeader,
    #[error("an anchor or alias needs a name of letters, digits, '_' and '-'")]
    Anchor,
    #[error("not a well-formed tag")]
    TagSyntax,
    #[error("the tag handle {0} is not defined")]
    TagHandle(String),
    #[error("the key {0:?} appears twice in one mapping")]
    DuplicateKey(String),
    #[error("a key must be a string, a number or a boolean, not {0}")]
    Key(&'static str),
    #[error("the merge key '<<' needs a mapping, an alias of one, or a list of these")]
    Merge,
    #[error(
        "the merge key '<<' appears twice in one mapping; write one: '<<: [*first, *second]', where the first wins"
    )]
    SecondMerge,
    #[error(
        "kubectl takes the key {0:?} from this merge, other readers keep the one written before it; put '<<' first, \
         where all keep what is written, or remove the key"
    )]
    MergeOverrides(String),
    #[error("cannot read {text:?} as {tag}")]
    Tag { tag: String, text: String },
    #[error("kubectl reads !!timestamp as a string; write a string in quotes")]
    Timestamp,
    #[error("!!binary must be valid base64")]
    Base64,
    #[error("!!binary holds bytes that are not UTF-8, which JSON cannot hold")]
    BinaryText,
    #[error("{0} has no place in JSON; write a finite number, or a string in quotes")]
    NotFinite(String),
    #[error("the alias refers to a node that is not complete in this document")]
    Alias,
    #[error("nearly all of the document is repeated by aliases, which kubectl refuses")]
    MostlyAliases,
    #[error("aliases and merge keys repeat more than {MAX_ALIAS_WEIGHT} bytes")]
    Expansion,
    #[error("more than {0} lists and mappings are nested in each other")]
    TooDeep(usize),
}
