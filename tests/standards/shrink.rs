//! The smallest pod that still shows a difference.

use serde_json::Value;

use crate::pods::{Case, Way};

/// The case cut down as long as `differs` says that the difference is still there.
pub fn shrunk(case: &Case, mut differs: impl FnMut(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    let plain = Case { way: Way::Pod, ..case.clone() };
    if differs(&plain) {
        smallest = plain;
    }
    loop {
        let before = smallest.pod.clone();
        let mut at = 0;
        // What is written later stands deeper or further behind, so that the numbers before a cut stay as they are.
        while let Some(pod) = without(&smallest.pod, at) {
            let smaller = Case { pod, ..smallest.clone() };
            if is_pod(&smaller) && differs(&smaller) {
                smallest = smaller;
            } else {
                at += 1;
            }
        }
        if smallest.pod == before {
            return smallest;
        }
    }
}

/// What is no pod is judged by nobody.
fn is_pod(case: &Case) -> bool {
    case.pod["apiVersion"] == "v1" && case.pod["kind"] == "Pod"
}

/// The value without its `at`-th member or element, counted through all that it holds.
fn without(value: &Value, at: usize) -> Option<Value> {
    let mut value = value.clone();
    let mut left = at;
    cut(&mut value, &mut left).then_some(value)
}

fn cut(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Object(members) => {
            let keys: Vec<_> = members.keys().cloned().collect();
            for key in keys {
                if *left == 0 {
                    members.remove(&key);
                    return true;
                }
                *left -= 1;
                if members.get_mut(&key).is_some_and(|member| cut(member, left)) {
                    return true;
                }
            }
            false
        }
        Value::Array(elements) => {
            for index in 0..elements.len() {
                if *left == 0 {
                    elements.remove(index);
                    return true;
                }
                *left -= 1;
                if cut(&mut elements[index], left) {
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}
