//! What holds against a real kube-apiserver. It is started from `target/tools/controlplane`, which
//! `tests/controlplane/build.sh` builds; with `KUBECONFIG` set, the tests use that cluster instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod defaulting;
mod differential;

mod smoke;
mod typecheck;
