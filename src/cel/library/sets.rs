//! cel-go's sets library: lists taken as sets, their elements equal as `==` has it.

use std::collections::HashMap;

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::compare::{equals, hash};
use crate::cel::value::{List, Value};
use crate::json::Arena;

use crate::cel::value::build;

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "sets.contains",
        overloads: &[overload_since(29, "list_sets_contains_list", "(list<T>, list<T>) -> bool")],
        eval: contains,
    },
    Function {
        name: "sets.equivalent",
        overloads: &[overload_since(29, "list_sets_equivalent_list", "(list<T>, list<T>) -> bool")],
        eval: equivalent,
    },
    Function {
        name: "sets.intersects",
        overloads: &[overload_since(29, "list_sets_intersects_list", "(list<T>, list<T>) -> bool")],
        eval: intersects,
    },
];

fn contains<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (list, part) = two_lists(args)?;
    let set = Set::new(list);
    Ok(Value::Bool(part.iter().all(|element| set.has(&element))))
}

fn equivalent<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (a, b) = two_lists(args)?;
    let (in_a, in_b) = (Set::new(a), Set::new(b));
    Ok(Value::Bool(b.iter().all(|element| in_a.has(&element)) && a.iter().all(|element| in_b.has(&element))))
}

fn intersects<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (a, b) = two_lists(args)?;
    let set = Set::new(b);
    Ok(Value::Bool(a.iter().any(|element| set.has(&element))))
}

/// Upstream charges for comparing every element with every one of the other list.
fn two_lists<'a>(args: &[Value<'a>]) -> Result<(List<'a>, List<'a>), Error> {
    let [Value::List(a), Value::List(b)] = args else { return Err(Error::no_such_overload()) };
    build::within_cost(a.len().saturating_mul(b.len()))?;
    Ok((*a, *b))
}

/// A list as a set; short ones are searched, long ones are hashed.
enum Set<'a> {
    Short(List<'a>),
    Hashed(HashMap<u64, Vec<Value<'a>>>),
}

impl<'a> Set<'a> {
    fn new(list: List<'a>) -> Self {
        if list.len() <= 8 {
            return Set::Short(list);
        }
        let mut elements: HashMap<u64, Vec<Value<'a>>> = HashMap::with_capacity(list.len());
        for element in list.iter() {
            let alike = elements.entry(hash(&element)).or_default();
            if !alike.iter().any(|other| equals(other, &element)) {
                alike.push(element);
            }
        }
        Set::Hashed(elements)
    }

    fn has(&self, value: &Value<'_>) -> bool {
        match self {
            Set::Short(list) => list.iter().any(|element| equals(&element, value)),
            Set::Hashed(elements) => {
                elements.get(&hash(value)).is_some_and(|alike| alike.iter().any(|element| equals(element, value)))
            }
        }
    }
}
