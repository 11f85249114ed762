//! Makes a pod that fails as small as it can be and still fail the same way.

use serde_json::Value;

/// The smallest pod of which `fails` holds that is found by leaving out fields and list items, largest parts first.
pub fn shrink(mut pod: Value, fails: impl Fn(&Value) -> bool) -> Value {
    loop {
        let smaller = places(&pod).into_iter().map(|place| without(&pod, &place)).find(|smaller| fails(smaller));
        match smaller {
            Some(smaller) => pod = smaller,
            None => return pod,
        }
    }
}

/// The fields and list items of a value, outer ones first.
fn places(value: &Value) -> Vec<String> {
    let mut places = Vec::new();
    let mut level = vec![(String::new(), value)];
    while !level.is_empty() {
        let mut deeper = Vec::new();
        for (at, value) in level {
            match value {
                Value::Object(members) => {
                    let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
                    deeper.extend(members.iter().map(|(key, member)| (format!("{at}/{}", escaped(key)), member)));
                }
                Value::Array(elements) => {
                    deeper
                        .extend(elements.iter().enumerate().map(|(index, element)| (format!("{at}/{index}"), element)));
                }
                _ => {}
            }
        }
        places.extend(deeper.iter().map(|(at, _)| at.clone()));
        level = deeper;
    }
    places
}

fn without(value: &Value, place: &str) -> Value {
    let mut value = value.clone();
    let (parent, last) = place.rsplit_once('/').unwrap();
    match value.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.remove(&last.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(elements)) => drop(elements.remove(last.parse().unwrap())),
        _ => {}
    }
    value
}
