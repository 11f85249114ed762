//! Authorization checks of one request, each asked once.
//!
//! Upstream: `admission/plugin/authorizer/caching_authorizer.go`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::cel::Error;
use crate::cel::authorization::{Answer, Authorizer, Check};
use crate::json;

/// Asks another authorizer each check once and remembers what it said, failures included. For one request: what is
/// remembered is never forgotten.
#[derive(Debug)]
pub struct CachingAuthorizer<'a> {
    inner: &'a dyn Authorizer,
    /// By user and check. Cost limits let few checks into an expression, so there are few.
    answers: Mutex<HashMap<String, Result<Answer, Error>>>,
}

impl<'a> CachingAuthorizer<'a> {
    /// Remembers what `inner` says.
    pub fn new(inner: &'a dyn Authorizer) -> Self {
        Self { inner, answers: Mutex::default() }
    }
}

impl Authorizer for CachingAuthorizer<'_> {
    fn authorize(&self, check: &Check<'_>) -> Result<Answer, Error> {
        let key = key(check);
        if let Some(known) = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let answer = self.inner.authorize(check);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
        answer
    }
}

/// A text that two checks share if they ask the same. A request has one user, whose groups are always in one order.
fn key(check: &Check<'_>) -> String {
    format!("{} {:?}", json::to_json(check.user), (check.verb, check.target))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cel::authorization::{Resource, Target};
    use crate::json::Value;

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Authorizer for Counting {
        fn authorize(&self, check: &Check<'_>) -> Result<Answer, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match check.verb {
                "fail" => Err(Error::new("no cluster")),
                verb => Ok(Answer { reason: verb.to_owned(), ..Answer::default() }),
            }
        }
    }

    #[test]
    fn asks_each_check_once() {
        let inner = Counting::default();
        let caching = CachingAuthorizer::new(&inner);
        let pods = Resource { resource: "pods", ..Resource::default() };
        let ask = |user, verb, target| caching.authorize(&Check { user, verb, target });
        let (ann, bob) = (Value::String("ann"), Value::String("bob"));
        for _ in 0..2 {
            let reason = |answer: Result<Answer, Error>| answer.expect("an answer").reason;
            assert_eq!(reason(ask(ann, "get", Target::Resource(pods))), "get");
            assert_eq!(reason(ask(bob, "get", Target::Resource(pods))), "get");
            assert_eq!(reason(ask(ann, "list", Target::Resource(pods))), "list");
            assert_eq!(reason(ask(ann, "get", Target::Path("/healthz"))), "get");
            assert!(ask(ann, "fail", Target::Path("/healthz")).is_err());
            for narrower in [
                Resource { group: "apps", ..pods },
                Resource { subresource: "status", ..pods },
                Resource { namespace: "media", ..pods },
                Resource { name: "media", ..pods },
                Resource { field_selector: "a=b", ..pods },
                Resource { label_selector: "a=b", ..pods },
            ] {
                assert_eq!(reason(ask(ann, "get", Target::Resource(narrower))), "get");
            }
        }
        assert_eq!(inner.0.into_inner(), 11);
    }
}
