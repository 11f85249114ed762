//! What holds against a real kube-apiserver. It is started from `target/tools/controlplane`, which
//! `tests/controlplane/build.sh` builds; with `KUBECONFIG` set, the tests use that cluster instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod cluster;
mod defaulting;
mod definitions;
mod deployed;
mod differential;
mod exemptions;
mod export;
mod first_user;
#[path = "../support/manifests.rs"]
mod manifests;
mod mutations;
#[path = "../support/objects.rs"]
mod objects;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;
mod smoke;
#[allow(dead_code)]
#[path = "../server/support.rs"]
mod support;
mod typecheck;
mod updates;
