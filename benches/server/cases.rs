//! What is asked, of which policies, in which mode.

use super::{Result, reviews};

/// Modes, the default first.
pub const MODES: [&str; 3] = ["audit", "warn", "enforce"];

/// A review, and how it is asked about.
pub struct Body {
    /// What it is about.
    pub about: &'static str,
    /// The review.
    pub text: String,
    /// Endpoints and modes, in the order of the table.
    pub asked: &'static [(&'static str, &'static str)],
}

/// Everything that is asked, the default first.
pub fn bodies() -> Result<[Body; 3]> {
    Ok([
        Body {
            about: "new Pod",
            text: reviews::create_pod(),
            asked: &[
                ("/validate", "audit"),
                ("/validate", "warn"),
                ("/validate", "enforce"),
                ("/mutate", "audit"),
                ("/mutate", "enforce"),
            ],
        },
        Body {
            about: "changed Pod",
            text: reviews::update_pod(),
            asked: &[("/validate", "audit"), ("/validate", "enforce")],
        },
        Body {
            about: "new Deployment",
            text: reviews::create_deployment()?,
            asked: &[("/validate", "audit"), ("/validate", "enforce")],
        },
    ])
}

/// Policies to serve.
pub struct Policies {
    /// What the table calls them.
    pub name: &'static str,
    /// The flags that select them.
    pub flags: &'static [&'static str],
}

/// The whole bundle with every binding, and a few of it.
pub const POLICIES: [Policies; 2] = [
    Policies {
        name: "whole bundle",
        flags: &["--offline", "--no-embedded", "--policies", concat!(env!("CARGO_MANIFEST_DIR"), "/policies")],
    },
    Policies {
        name: "four policies",
        flags: &["--offline", "--profile", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/first-look.yaml")],
    },
];
