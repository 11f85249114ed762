//! The syntax tree: what the parser produces, macros already expanded as cel-go expands them.

/// A node of the tree.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Unique within the tree; types and resolutions are kept by it.
    pub id: u32,
    /// Byte offset in the source.
    pub offset: u32,
    /// 1 for a leaf, else one more than the highest child: bounds every recursion over the tree.
    pub height: u16,
    /// What the node is.
    pub kind: Kind,
}

impl PartialEq for Expr {
    /// Whether both say the same, wherever it is written.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.value, self.optional) == (&other.name, &other.value, other.optional)
    }
}

impl Expr {
    /// The direct children, in the order of the source.
    pub fn children(&self) -> Vec<&Expr> {
        self.kind.children()
    }
}

impl Kind {
    /// The direct children of a node of this kind.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Kind::Literal(_) | Kind::Ident(_) => Vec::new(),
            Kind::Select { operand, .. } => vec![operand],
            Kind::Call { target, args, .. } => target.as_deref().into_iter().chain(args).collect(),
            Kind::List(elements) => elements.iter().map(|element| &element.value).collect(),
            Kind::Map(entries) => entries.iter().flat_map(|entry| [&entry.key, &entry.value]).collect(),
            Kind::Struct { fields, .. } => fields.iter().map(|field| &field.value).collect(),
            Kind::Comprehension(fold) => vec![&fold.range, &fold.init, &fold.condition, &fold.step, &fold.result],
        }
    }

    /// The direct children, as [`Kind::children`] gives them, to be changed.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Kind::Literal(_) | Kind::Ident(_) => Vec::new(),
            Kind::Select { operand, .. } => vec![operand],
            Kind::Call { target, args, .. } => target.as_deref_mut().into_iter().chain(args).collect(),
            Kind::List(elements) => elements.iter_mut().map(|element| &mut element.value).collect(),
            Kind::Map(entries) => entries.iter_mut().flat_map(|entry| [&mut entry.key, &mut entry.value]).collect(),
            Kind::Struct { fields, .. } => fields.iter_mut().map(|field| &mut field.value).collect(),
            Kind::Comprehension(fold) => {
                let Comprehension { range, init, condition, step, result, .. } = &mut **fold;
                vec![range, init, condition, step, result]
            }
        }
    }
}

/// The kinds of node.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A constant.
    Literal(Literal),
    /// A name; a leading dot means the root of the name space.
    Ident(String),
    /// `operand.field`, or `has(operand.field)`.
    Select {
        /// The value selected from.
        operand: Box<Expr>,
        /// The field's name.
        field: String,
        /// Whether presence is asked for, not the value.
        test: bool,
    },
    /// A call; operators are calls to functions with names such as `_+_`.
    Call {
        /// The function's name.
        function: String,
        /// The receiver of a member call.
        target: Option<Box<Expr>>,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `[a, ?b]`
    List(Vec<Element>),
    /// `{k: v, ?k: v}`
    Map(Vec<Entry>),
    /// `Name{field: v, ?field: v}`
    Struct {
        /// The type's name, dots included.
        type_name: String,
        /// The fields set.
        fields: Vec<Field>,
    },
    /// A fold that a macro expanded to.
    Comprehension(Box<Comprehension>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `1`, `0x1f`
    Int(i64),
    /// `1u`
    Uint(u64),
    /// `1.0`
    Double(f64),
    /// `'text'`
    String(String),
    /// `b'bytes'`
    Bytes(Vec<u8>),
}

/// An element of a list literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The element.
    pub value: Expr,
    /// Whether it is an optional that is left out when it has no value.
    pub optional: bool,
}

/// An entry of a map literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Expr,
    /// The value.
    pub value: Expr,
    /// Whether the value is an optional that is left out when it has no value.
    pub optional: bool,
}

/// A field of a struct literal.
#[derive(Clone, Debug)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// Its value.
    pub value: Expr,
    /// Whether the value is an optional that is left out when it has no value.
    pub optional: bool,
    /// Byte offset in the source.
    pub offset: u32,
}

/// A fold over a range, as cel-go's macros expand to.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehension {
    /// Which macro it came from: the compiler has a direct form for each.
    pub fold: Fold,
    /// What is iterated.
    pub range: Expr,
    /// Element or key; with a second variable: index or key.
    pub var: String,
    /// Element or value.
    pub var2: Option<String>,
    /// The accumulator's name.
    pub accumulator: String,
    /// The accumulator's first value.
    pub init: Expr,
    /// Whether to go on.
    pub condition: Expr,
    /// The accumulator's next value.
    pub step: Expr,
    /// The value of the whole.
    pub result: Expr,
}

/// What a comprehension computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// `all`
    All,
    /// `exists`
    Exists,
    /// `exists_one`
    ExistsOne,
    /// `map`, `filter`, `transformList`: a list of values, perhaps of some elements only.
    Collect,
    /// `transformMap`, `transformMapEntry`: a map.
    Insert,
    /// One value bound to a name, evaluated when first used.
    Bind,
}

/// The accumulator that macros use: not a name that source text can spell.
pub const ACCUMULATOR: &str = "@result";
