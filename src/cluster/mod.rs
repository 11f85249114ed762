//! Everything that talks to the API server: the client, what is watched, authorization checks.
//!
//! Knows Kubernetes' API over HTTP and the engine's interfaces; knows nothing of the webhook, of flags, or of what is
//! judged. A request sees a [`View`]: what was known of the cluster when it arrived, and a way to ask for the rest.
//!
//! The client and the watches live on a thread of their own, with a runtime of its own. A request that has to ask waits
//! for that thread and no longer than its deadline, so requests that wait can't keep each other from being answered.

mod api;
mod backoff;
mod bridge;
mod connect;
mod definitions;
mod exemptions;
mod namespaces;
mod params;
mod review;
mod slices;
mod status;
#[cfg(test)]
mod testing;
mod watch;

use std::sync::Arc;
use std::time::Instant;

pub use connect::{ConnectError, Connection};
pub use status::{Health, WatchState};

use crate::engine::PolicySet;
use crate::policy::{Exemptions, Params};
use crate::schema::Definitions;

use bridge::Bridge;
use definitions::DefinitionWatch;
use exemptions::ExemptionWatch;
use namespaces::{KnownNamespaces, NamespaceWatch};
use params::ParamWatches;
use review::ReviewingAuthorizer;
use status::Statuses;

/// A connection to the API server with what is kept of its state.
#[derive(Debug)]
pub struct Cluster {
    bridge: Arc<Bridge>,
    statuses: Arc<Statuses>,
    namespaces: NamespaceWatch,
    params: ParamWatches,
    definitions: DefinitionWatch,
    exemptions: ExemptionWatch,
}

/// The cluster as one request sees it.
#[derive(Debug)]
pub struct View {
    /// Namespaces by name.
    pub namespaces: KnownNamespaces,
    /// The params that `paramRef`s refer to.
    pub params: Arc<Params>,
    /// How custom resources merge, by their definitions.
    pub definitions: Arc<Definitions>,
    /// Which findings are set aside.
    pub exemptions: Arc<Exemptions>,
    /// Answers `authorizer`.
    pub authorizer: ReviewingAuthorizer,
}

impl Cluster {
    /// Connects and starts to watch namespaces and exemptions. What can't be reached yet is tried again and again.
    ///
    /// # Errors
    /// The connection's settings can't be used.
    pub fn start(connection: &Connection) -> Result<Self, ConnectError> {
        let bridge = Arc::new(Bridge::start(connection)?);
        let statuses = Arc::new(Statuses::default());
        let namespaces = NamespaceWatch::start(&bridge, &statuses);
        let params = ParamWatches::new(Arc::clone(&bridge), Arc::clone(&statuses));
        let definitions = DefinitionWatch::new(Arc::clone(&bridge), Arc::clone(&statuses));
        let exemptions = ExemptionWatch::start(&bridge, &statuses);
        Ok(Self { bridge, statuses, namespaces, params, definitions, exemptions })
    }

    /// Watches the params that the policies of `set` refer to, and no others, and the definitions of custom resources
    /// that they merge into; the exemptions that came with them count beside those of the cluster. Until a kind's objects
    /// are known, the policies that need them can't be evaluated.
    pub fn use_policies(&self, set: &PolicySet) {
        self.params.follow(set.policies(), set.params());
        self.definitions.follow(set.policies(), set.definitions());
        self.exemptions.follow(set.exemptions());
    }

    /// The exemptions as they are known at present, those that came with the policies among them.
    pub fn exemptions(&self) -> Arc<Exemptions> {
        self.exemptions.current()
    }

    /// The cluster for a request that has to be answered by `deadline`.
    pub fn view(&self, deadline: Instant) -> View {
        View {
            namespaces: self.namespaces.known(deadline),
            params: self.params.current(),
            definitions: self.definitions.current(),
            exemptions: self.exemptions.current(),
            authorizer: ReviewingAuthorizer::new(Arc::clone(&self.bridge), Arc::clone(&self.statuses), deadline),
        }
    }

    /// How the connection and each watch are.
    pub fn health(&self) -> Health {
        self.statuses.health()
    }
}
