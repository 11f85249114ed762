//! The connections of a port: how many there are, how many from one address, and which of them makes room for a new one.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::activity::Activity;
use super::limits::ConnectionLimits;

/// How often a connection that has no room looks for one that has become idle.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The open connections of one port; cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: ConnectionLimits,
    open: Mutex<Open>,
    /// Told whenever a connection has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Entry>,
    /// How many there are from each address.
    peers: HashMap<IpAddr, u32>,
}

#[derive(Debug)]
struct Entry {
    peer: IpAddr,
    activity: Arc<Activity>,
    is_leaving: bool,
}

/// An open connection, until this goes.
#[derive(Debug)]
pub struct Connected {
    shared: Arc<Shared>,
    id: u64,
    /// What happens on it.
    pub activity: Arc<Activity>,
}

/// Whether there is room for a connection.
enum Room {
    /// There is.
    Taken(Connected),
    /// There will be: one is on its way out, or all are busy.
    Soon,
    /// Its address has too many that are all busy.
    Refused,
}

impl Connections {
    /// Room for as many connections as `limits` say.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self(Arc::new(Shared { limits, open: Mutex::default(), ended: Notify::new() }))
    }

    /// Takes in a connection from `peer`, for which an idle one may have to go; `None` where the peer has all that it may
    /// have and all are busy.
    pub async fn admit(&self, peer: IpAddr) -> Option<Connected> {
        // One host has as many addresses as it likes within the 64 bits that a network gives it.
        let peer = match peer.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            address => address,
        };
        loop {
            let ended = self.0.ended.notified();
            match self.room(peer) {
                Room::Taken(connected) => return Some(connected),
                Room::Refused => return None,
                // One that is busy may also become idle, which nobody tells.
                Room::Soon => _ = tokio::time::timeout(LOOK_AGAIN, ended).await,
            }
        }
    }

    fn room(&self, peer: IpAddr) -> Room {
        let mut open = self.0.open();
        let own = open.peers.get(&peer).copied().unwrap_or_default();
        if own >= self.0.limits.per_peer {
            return if open.evict(|entry| entry.peer == peer) { Room::Soon } else { Room::Refused };
        }
        if open.connections.len() >= self.0.limits.connections as usize {
            open.evict(|_| true);
            return Room::Soon;
        }
        let id = open.next;
        open.next += 1;
        let activity = Activity::new();
        open.connections.insert(id, Entry { peer, activity: Arc::clone(&activity), is_leaving: false });
        open.peers.insert(peer, own + 1);
        Room::Taken(Connected { shared: Arc::clone(&self.0), id, activity })
    }

    /// Waits until every connection has ended.
    pub async fn all_ended(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// How many connections there are now.
    pub fn count(&self) -> usize {
        self.0.open().connections.len()
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends the one that has been idle longest among those that may go, of the peer that has the most: who opens many
    /// takes them from itself, not from the API server, which keeps a few. Whether one is on its way out.
    fn evict(&mut self, may_go: impl Fn(&Entry) -> bool) -> bool {
        if self.connections.values().any(|entry| entry.is_leaving && may_go(entry)) {
            return true;
        }
        let peers = &self.peers;
        let idle = self.connections.values_mut().filter(|entry| may_go(entry));
        let oldest = idle
            .filter_map(|entry| Some((entry.activity.idle_since()?, entry)))
            .min_by_key(|(since, entry)| (Reverse(peers.get(&entry.peer)), *since));
        let Some((_, entry)) = oldest else { return false };
        entry.is_leaving = true;
        entry.activity.evict();
        true
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        if let Some(entry) = open.connections.remove(&self.id)
            && let Some(own) = open.peers.get_mut(&entry.peer)
        {
            *own -= 1;
            if *own == 0 {
                open.peers.remove(&entry.peer);
            }
        }
        drop(open);
        self.shared.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::super::activity::Cut;
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn limits(connections: u32, per_peer: u32) -> ConnectionLimits {
        ConnectionLimits { per_peer, ..ConnectionLimits::patient(connections) }
    }

    /// A connection that ends when it is told to, as real ones do; what it ended by.
    fn serve(connected: Connected, limits: ConnectionLimits) -> tokio::task::JoinHandle<Cut> {
        tokio::spawn(async move { connected.activity.cut(&limits, true).await })
    }

    #[tokio::test]
    async fn the_one_that_has_been_idle_longest_makes_room() {
        let limits = limits(2, 2);
        let connections = Connections::new(limits);
        let first = connections.admit(A).await.expect("room");
        let second = connections.admit(B).await.expect("room");
        // The first was used after the second came.
        drop(first.activity.request());
        let (_first, second) = (serve(first, limits), serve(second, limits));
        let third = connections.admit(A).await.expect("room");
        assert_eq!(second.await.expect("no panic"), Cut::Evicted);
        assert_eq!(connections.count(), 2);
        drop(third);
    }

    #[tokio::test]
    async fn the_peer_with_the_most_makes_room_for_another() {
        let limits = limits(4, 4);
        let connections = Connections::new(limits);
        let other = serve(connections.admit(B).await.expect("room"), limits);
        let busy = connections.admit(A).await.expect("room");
        let _busy = busy.activity.evaluation();
        let first = serve(connections.admit(A).await.expect("room"), limits);
        let second = serve(connections.admit(A).await.expect("room"), limits);
        let _third = connections.admit(B).await.expect("room");
        assert_eq!(first.await.expect("no panic"), Cut::Evicted);
        assert!(!other.is_finished() && !second.is_finished());
    }

    #[tokio::test]
    async fn a_new_connection_waits_while_all_are_busy() {
        let connections = Connections::new(limits(1, 2));
        let first = connections.admit(A).await.expect("room");
        let busy = first.activity.evaluation();
        let second = connections.admit(B);
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(50), second.as_mut()).await.is_err());
        drop((busy, first));
        assert!(second.await.is_some());
    }

    #[tokio::test]
    async fn a_peer_with_as_many_as_it_may_have_gives_up_its_own() {
        let limits = limits(10, 2);
        let connections = Connections::new(limits);
        let other = connections.admit(B).await.expect("room");
        let first = serve(connections.admit(A).await.expect("room"), limits);
        let second = connections.admit(A).await.expect("room");
        let third = connections.admit(A).await.expect("room");
        assert_eq!(first.await.expect("no panic"), Cut::Evicted);
        let _busy = (second.activity.evaluation(), third.activity.evaluation());
        assert!(connections.admit(A).await.is_none(), "both are busy");
        assert!(connections.admit(B).await.is_some());
        drop(other);
    }

    #[tokio::test]
    async fn addresses_of_one_network_are_one_peer() {
        let connections = Connections::new(limits(10, 1));
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = connections.admit(address("2001:db8::1")).await.expect("room");
        let _busy = first.activity.evaluation();
        assert!(connections.admit(address("2001:db8::2")).await.is_none());
        assert!(connections.admit(address("2001:db8:0:1::1")).await.is_some());
        let second = connections.admit(address("192.0.2.1")).await.expect("room");
        let _busy = second.activity.evaluation();
        assert!(connections.admit(address("::ffff:192.0.2.1")).await.is_none());
    }

    #[tokio::test]
    async fn knows_when_all_have_ended() {
        let connections = Connections::new(limits(2, 2));
        connections.all_ended().await;
        let first = connections.admit(A).await.expect("room");
        let ended = connections.all_ended();
        tokio::pin!(ended);
        assert!(tokio::time::timeout(Duration::from_millis(20), ended.as_mut()).await.is_err());
        drop(first);
        ended.await;
    }
}
