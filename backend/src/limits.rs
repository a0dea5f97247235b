//! Derives the maximum number of sessions, connections and attachments from the descriptors that a
//! process may have.
//!
//! All limits follow from `RLIMIT_NOFILE`, which the keeper raises to its hard limit at the start
//! and the server inherits.

use nix::sys::resource::{Resource, getrlimit};

/// Descriptors that a process needs for itself: standard streams, runtimes, signals, listener, the
/// socket between keeper and server, an upgrade, a program that is being started.
const OWN_DESCRIPTORS: usize = 32;

/// Descriptors that always stay free: for what the keeper passes, for accept(2), and for files that
/// are read or written briefly.
const RESERVED_DESCRIPTORS: usize = 32;

/// Descriptors that each of the two processes needs for a session. Keeper: terminal, memory, input
/// pipe, checkpoint. Server: terminal, program, input pipe, and an epoll(7) while input waits for a
/// program that does not read.
const SESSION_DESCRIPTORS: usize = 4;

/// Share of the remaining descriptors that sessions may use, in quarters. The rest is for
/// connections.
const SESSION_QUARTERS: usize = 3;

/// Maximum number of simultaneous connections that are not attachments, however many descriptors
/// there are.
const MAX_CONNECTIONS: usize = 1024;

/// Maximum number of simultaneous attachments, however many descriptors there are.
const MAX_ATTACHMENTS: usize = 8192;

/// Lower bound of the number of connections and of attachments, however few descriptors there are,
/// and of the share of one address or of one phase. A browser that loads the page uses six
/// connections.
const MIN_CONNECTIONS: usize = 8;

/// Maximum number of guests' attachments with one grant, and to one session, however many
/// attachments there may be.
const MAX_GUESTS_PER_GRANT: usize = 512;
const MAX_GUESTS_PER_SESSION: usize = 768;

/// Maximum number of attachments with one grant, or of guests from one address, that have not sent
/// `hello` yet.
const MAX_PENDING_PER_GRANT: usize = 32;

/// Maximum number of owners' attachments that have not sent `hello` yet. A page that reconnects to
/// its server opens one for each of its terminals.
const MAX_PENDING_OWNERS: usize = 256;

/// Maximum numbers of everything that takes a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorBudget {
    /// The limit of open files from which the other numbers follow.
    pub open_files: usize,
    /// Simultaneous sessions, including ended ones that are still readable.
    pub sessions: usize,
    /// Simultaneous connections that are not attachments.
    pub connections: usize,
    /// Simultaneous attachments.
    pub attachments: usize,
}

impl DescriptorBudget {
    /// Returns the budget of this process, with at most `max_sessions` sessions.
    #[must_use]
    pub fn of_this_process(max_sessions: usize) -> Self {
        // The kernel's default maximum (`/proc/sys/fs/nr_open`).
        let unlimited = 1 << 20;
        let open_files =
            getrlimit(Resource::RLIMIT_NOFILE).map_or(unlimited, |(soft, _)| soft.min(unlimited));
        Self::new(usize::try_from(open_files).unwrap_or(usize::MAX), max_sessions)
    }

    pub(crate) fn new(open_files: usize, max_sessions: usize) -> Self {
        let usable = open_files.saturating_sub(OWN_DESCRIPTORS + RESERVED_DESCRIPTORS);
        let fitting = usable * SESSION_QUARTERS / 4 / SESSION_DESCRIPTORS;
        let sessions = max_sessions.min(fitting.max(1));
        let rest = usable.saturating_sub(sessions * SESSION_DESCRIPTORS);
        let connections = (rest / 3).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
        let attachments = rest.saturating_sub(connections).clamp(MIN_CONNECTIONS, MAX_ATTACHMENTS);
        Self { open_files, sessions, connections, attachments }
    }

    /// Returns the maximum number of connections that have shown no credentials, or only a pass.
    /// The rest is for owners.
    #[must_use]
    pub fn foreign_connections(&self) -> usize {
        self.connections - self.connections / 4
    }

    /// Returns the maximum number of foreign connections from one address. A proxy on this machine
    /// speaks for many clients, so a loopback address may use all of them.
    #[must_use]
    pub fn connections_per_address(&self, is_loopback: bool) -> usize {
        let foreign = self.foreign_connections();
        if is_loopback { foreign } else { (foreign / 4).max(MIN_CONNECTIONS) }
    }

    /// Returns the maximum number of foreign connections in each phase after the head: those that
    /// send a body or wait for the answer, and those that take the answer or wait for another
    /// request. The limit leaves room for connections that are sending a head.
    #[must_use]
    pub fn connections_per_phase(&self) -> usize {
        (self.foreign_connections() / 4).max(MIN_CONNECTIONS)
    }

    /// Returns the maximum number of guests' attachments. The rest is for owners.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.attachments - self.attachments / 4
    }

    /// Returns the maximum number of guests' attachments to one session.
    #[must_use]
    pub fn guests_per_session(&self) -> usize {
        (self.attachments * 3 / 8).min(MAX_GUESTS_PER_SESSION)
    }

    /// Returns the maximum number of guests' attachments with one grant, and from one address that
    /// is not a loopback address.
    #[must_use]
    pub fn guests_per_grant(&self) -> usize {
        (self.attachments / 4).min(MAX_GUESTS_PER_GRANT)
    }

    /// Returns the maximum number of attachments with one grant, or of guests from one address,
    /// that have not sent `hello` yet.
    #[must_use]
    pub fn pending_per_grant(&self) -> usize {
        (self.attachments / 8).clamp(2, MAX_PENDING_PER_GRANT)
    }

    /// Returns the maximum number of owners' attachments that have not sent `hello` yet.
    #[must_use]
    pub fn pending_owners(&self) -> usize {
        (self.attachments / 4).min(MAX_PENDING_OWNERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_fits_into_the_limit_of_open_files() {
        for open_files in [256, 1024, 4096, 20_000, 1 << 20] {
            for max_sessions in [1, 256, 100_000] {
                let budget = DescriptorBudget::new(open_files, max_sessions);
                let all = budget.sessions * SESSION_DESCRIPTORS + budget.connections + budget.attachments;
                assert!(all + OWN_DESCRIPTORS + RESERVED_DESCRIPTORS <= open_files, "{budget:?}");
                assert!(budget.sessions <= max_sessions && budget.sessions > 0, "{budget:?}");
                assert!(budget.guests_per_grant() <= budget.guests_per_session(), "{budget:?}");
                assert!(budget.guests_per_session() < budget.guests(), "{budget:?}");
                assert!(budget.guests() < budget.attachments, "{budget:?}");
                assert!((1..=budget.attachments / 4).contains(&budget.pending_owners()), "{budget:?}");
                assert!(budget.connections_per_phase() < budget.foreign_connections(), "{budget:?}");
            }
        }
        let typical = DescriptorBudget::new(1024, 256);
        assert_eq!((typical.sessions, typical.connections, typical.attachments), (180, 80, 160));
        let few = DescriptorBudget::new(0, 256);
        assert_eq!((few.sessions, few.connections), (1, MIN_CONNECTIONS));
    }
}
