//! Where the API server is and how to log in: a kubeconfig, or the pod's own service account.

use std::path::PathBuf;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// How to reach the API server.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// A kubeconfig file. Without one: what `KUBECONFIG` names, then `~/.kube/config`, then the service account of the
    /// pod that this process runs in.
    pub kubeconfig: Option<PathBuf>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig can't be used.
    #[error("{file}: not a kubeconfig that can be used: {error}")]
    Kubeconfig {
        /// The file.
        file: String,
        /// Why.
        error: String,
    },
    /// There is none, and this is no pod.
    #[error("no API server to talk to: name one with --kubeconfig FILE, or work without with --offline ({0})")]
    NoCluster(String),
    /// The client can't be made.
    #[error("can't make a client of the API server: {0}")]
    Client(String),
    /// The system gives no thread or no event queue.
    #[error("can't start a thread for the connection to the API server: {0}")]
    Thread(#[from] std::io::Error),
}

impl Connection {
    /// The client's settings.
    pub(super) async fn config(&self) -> Result<Config, ConnectError> {
        let Some(file) = &self.kubeconfig else {
            return Config::infer().await.map_err(|error| ConnectError::NoCluster(chain(&error)));
        };
        let failed = |error: &dyn std::error::Error| ConnectError::Kubeconfig {
            file: file.display().to_string(),
            error: chain(error),
        };
        let kubeconfig = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
        let options = KubeConfigOptions::default();
        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))
    }
}

/// An error with what caused it, as one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        // Many errors repeat their cause.
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("kubeconfig");
        std::fs::write(&file, "contexts: 5").expect("written");
        for file in [file, directory.path().join("absent")] {
            let connection = Connection { kubeconfig: Some(file.clone()) };
            let error = connection.config().await.expect_err("a bad kubeconfig").to_string();
            assert!(error.starts_with(&file.display().to_string()), "{error}");
        }
    }
}
