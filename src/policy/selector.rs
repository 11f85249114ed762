//! Whether labels satisfy a selector.
//!
//! Upstream: `k8s.io/apimachinery/pkg/labels`.

use super::model::{LabelSelector, Operator, Requirement};

impl LabelSelector {
    /// Whether every requirement holds; `label` gives the value of a key, if the object has it.
    pub fn matches<'v>(&self, label: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(label(&requirement.key)))
    }
}

impl Requirement {
    fn holds(&self, label: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|allowed| allowed == value);
        match self.operator {
            Operator::In => label.is_some_and(listed),
            Operator::NotIn => !label.is_some_and(listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_judges_presence_and_value() {
        use Operator::{DoesNotExist, Exists, In, NotIn};
        let cases = [
            (In, Some("a"), true),
            (In, Some("c"), false),
            (In, None, false),
            (NotIn, Some("a"), false),
            (NotIn, Some("c"), true),
            (NotIn, None, true),
            (Exists, Some(""), true),
            (Exists, None, false),
            (DoesNotExist, Some(""), false),
            (DoesNotExist, None, true),
        ];
        for (operator, label, expected) in cases {
            let values = if matches!(operator, In | NotIn) { vec!["a".to_owned(), "b".to_owned()] } else { Vec::new() };
            let selector = LabelSelector { requirements: vec![Requirement { key: "k".to_owned(), operator, values }] };
            assert_eq!(selector.matches(|key| label.filter(|_| key == "k")), expected, "{operator:?} {label:?}");
        }
    }

    #[test]
    fn all_requirements_have_to_hold_and_none_holds_always() {
        let requirement =
            |key: &str| Requirement { key: key.to_owned(), operator: Operator::Exists, values: Vec::new() };
        let selector = LabelSelector { requirements: vec![requirement("a"), requirement("b")] };
        assert!(selector.matches(|_| Some("")));
        assert!(!selector.matches(|key| (key == "a").then_some("")));
        assert!(LabelSelector::default().matches(|_| None));
    }
}
