//! What is exported of which policy.
