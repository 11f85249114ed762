//! What has to hold of the mutating policies, whatever the pod and the params.

use std::collections::HashMap;

use serde_json::Value;

use super::changes::changes;
use super::owned::{Step, is_owned};
use super::policies::{MUTATING, Policies, Profile, completed};
use super::valid::refusals;

/// What doesn't hold, and how that shows.
#[derive(Debug)]
pub struct Failure {
    /// The property, in words.
    pub property: &'static str,
    /// The policy that is to blame, where one is.
    pub policy: &'static str,
    /// What is seen.
    pub text: String,
}

/// What was seen of a pod that stood the test, so that a test of nothing shows.
pub struct Seen {
    /// The policies that changed it, by their places.
    pub changed_by: [bool; MUTATING.len()],
    /// Whether the API server would have accepted it.
    pub is_acceptable: bool,
}

/// Checks every property of a pod.
///
/// # Errors
/// The first that doesn't hold.
pub fn check(policies: &Policies, profile: &Profile, pod: &Value) -> Result<Seen, Failure> {
    let pod = completed(pod);
    let is_acceptable = refusals(&pod).is_empty();
    let mut ways = Ways::from(policies, profile, pod.clone());
    ways.explore(is_acceptable)?;
    let end = ways.end()?;
    for order in orders() {
        // The first pass, and the second after a change, as policies are reinvoked.
        let twice = order.iter().chain(&order);
        let at = twice.fold(0, |at, policy| ways.next[at][*policy]);
        if at != end {
            let order: Vec<_> = order.iter().map(|policy| MUTATING[*policy]).collect();
            return fails(
                "every order of the policies comes to the same pod",
                "",
                ways.compare(end, at, &order.join(", ")),
            );
        }
    }
    let together = policies.all(profile, &pod).map_err(|error| stumbled("", error))?;
    if together != ways.pods[end] {
        let at = ways.place(together);
        return fails(
            "all policies at once come to what they come to one by one",
            "",
            ways.compare(end, at, "at once"),
        );
    }
    let again = policies.all(profile, &together).map_err(|error| stumbled("", error))?;
    if again != together {
        let at = ways.place(again);
        return fails("what admission has changed it leaves as it is", "", ways.compare(end, at, "again"));
    }
    let changed_by = std::array::from_fn(|policy| ways.next.iter().enumerate().any(|(at, next)| next[policy] != at));
    Ok(Seen { changed_by, is_acceptable })
}

/// The pods that policies make of a pod, one after the other, in whatever order.
struct Ways<'p> {
    policies: &'p Policies,
    profile: &'p Profile,
    pods: Vec<Value>,
    known: HashMap<String, usize>,
    /// For each pod, what each of the policies makes of it.
    next: Vec<[usize; MUTATING.len()]>,
}

impl<'p> Ways<'p> {
    fn from(policies: &'p Policies, profile: &'p Profile, pod: Value) -> Self {
        let mut ways = Self { policies, profile, pods: Vec::new(), known: HashMap::new(), next: Vec::new() };
        ways.place(pod);
        ways
    }

    /// Where the pod is among those known.
    fn place(&mut self, pod: Value) -> usize {
        let Self { pods, known, .. } = self;
        *known.entry(pod.to_string()).or_insert_with(|| {
            pods.push(pod);
            pods.len() - 1
        })
    }

    /// Follows every way to its end, and checks each step.
    fn explore(&mut self, is_acceptable: bool) -> Result<(), Failure> {
        while self.next.len() < self.pods.len() {
            let at = self.next.len();
            let mut next = [at; MUTATING.len()];
            for (policy, name) in MUTATING.into_iter().enumerate() {
                let before = self.pods[at].clone();
                let after = self.policies.one(policy, self.profile, &before).map_err(|error| stumbled(name, error))?;
                if after != before {
                    self.check_step(name, &before, &after, is_acceptable)?;
                    next[policy] = self.place(after);
                }
            }
            self.next.push(next);
        }
        for next in &self.next {
            for (policy, at) in next.iter().enumerate() {
                let again = self.next[*at][policy];
                if again != *at {
                    let text = differences(&self.pods[*at], &self.pods[again]);
                    return fails("a policy changes nothing more of what it has changed", MUTATING[policy], text);
                }
            }
        }
        Ok(())
    }

    fn check_step(
        &self,
        policy: &'static str,
        before: &Value,
        after: &Value,
        is_acceptable: bool,
    ) -> Result<(), Failure> {
        let step = Step { policy, profile: self.profile, before, after };
        let others: Vec<_> = changes(before, after).into_iter().filter(|change| !is_owned(&step, change)).collect();
        if !others.is_empty() {
            let text: Vec<_> = others.iter().map(ToString::to_string).collect();
            return fails("a policy changes what it owns and nothing that the author wrote", policy, text.join("\n"));
        }
        let refused = refusals(after);
        if is_acceptable && !refused.is_empty() {
            return fails("a pod that the API server accepts is one that it still accepts", policy, refused.join("\n"));
        }
        Ok(())
    }

    /// The pod that no policy changes.
    fn end(&self) -> Result<usize, Failure> {
        let ends: Vec<usize> = (0..self.pods.len()).filter(|at| self.next[*at].iter().all(|next| next == at)).collect();
        match ends[..] {
            [end] => Ok(end),
            [] => fails("the policies come to an end", "", String::new()),
            [one, other, ..] => fails(
                "every way through the policies ends at the same pod",
                "",
                self.compare(one, other, "another way"),
            ),
        }
    }

    fn compare(&self, one: usize, other: usize, how: &str) -> String {
        format!("{how}:\n{}", differences(&self.pods[one], &self.pods[other]))
    }
}

fn differences(one: &Value, other: &Value) -> String {
    let lines: Vec<_> = changes(one, other).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn stumbled(policy: &'static str, error: String) -> Failure {
    Failure { property: "no policy stumbles over a pod", policy, text: error }
}

fn fails<T>(property: &'static str, policy: &'static str, text: String) -> Result<T, Failure> {
    Err(Failure { property, policy, text })
}

/// Every order of the policies.
fn orders() -> Vec<Vec<usize>> {
    (0..MUTATING.len()).fold(vec![Vec::new()], |orders, policy| {
        let longer = orders.iter().flat_map(|order: &Vec<usize>| {
            (0..=order.len()).map(move |at| {
                let mut longer = order.clone();
                longer.insert(at, policy);
                longer
            })
        });
        longer.collect()
    })
}
