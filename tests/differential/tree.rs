//! A generated expression: text with expressions in between, so that it can be cut down to what matters.

use super::types::Type;

/// An expression of a type.
#[derive(Clone, Debug)]
pub struct Tree {
    pub of: Type,
    /// The template it came from; empty for a leaf.
    pub template: &'static str,
    /// One more than the children: the text before, between and after them.
    pub texts: Vec<String>,
    pub children: Vec<Tree>,
}

impl Tree {
    /// An expression without parts.
    pub fn leaf(of: Type, text: impl Into<String>) -> Self {
        Self { of, template: "", texts: vec![text.into()], children: Vec::new() }
    }

    /// Its source text.
    pub fn source(&self) -> String {
        let mut source = String::new();
        self.write(&mut source);
        source
    }

    fn write(&self, into: &mut String) {
        for (at, text) in self.texts.iter().enumerate() {
            into.push_str(text);
            if let Some(child) = self.children.get(at) {
                if child.needs_parentheses() {
                    into.push('(');
                    child.write(into);
                    into.push(')');
                } else {
                    child.write(into);
                }
            }
        }
    }

    /// Whether it may not stand beside an operator or before a dot as it is.
    fn needs_parentheses(&self) -> bool {
        let first = self.texts.first().map_or("", String::as_str);
        first.starts_with(['-', '!']) || (!self.children.is_empty() && self.texts.iter().any(|text| has_operator(text)))
    }

    /// How many expressions it is made of.
    pub fn size(&self) -> usize {
        1 + self.children.iter().map(Tree::size).sum::<usize>()
    }

    /// Trees with one part replaced by one of its own parts, the largest cuts first.
    pub fn cuts(&self) -> Vec<Tree> {
        let mut cuts = self.children.clone();
        for (at, child) in self.children.iter().enumerate() {
            for cut in child.cuts() {
                let mut tree = self.clone();
                tree.children[at] = cut;
                cuts.push(tree);
            }
        }
        cuts.sort_by_key(Tree::size);
        cuts
    }

    /// The templates of all its parts, in order.
    pub fn templates(&self, into: &mut Vec<&'static str>) {
        if !self.template.is_empty() {
            into.push(self.template);
        }
        self.children.iter().for_each(|child| child.templates(into));
    }
}

/// Whether text has a space other than after a comma or a colon.
fn has_operator(text: &str) -> bool {
    let spaces = text.match_indices(' ');
    spaces.into_iter().any(|(at, _)| !text[..at].ends_with([',', ':']))
}
