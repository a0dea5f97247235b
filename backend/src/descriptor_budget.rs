//! Computes how many sessions, connections and attachments fit into the descriptors that a process
//! may have.
//!
//! All numbers follow from `RLIMIT_NOFILE`, which the keeper raises to its hard limit at the start
//! and the server inherits.

use nix::sys::resource::{Resource, getrlimit};

/// Number of descriptors that a process needs for itself: standard streams, runtimes, signals,
/// listener, the socket between keeper and server, an upgrade, a program that is being started.
const OWN_DESCRIPTORS: usize = 32;

/// Number of descriptors that are always left: for those that the keeper passes, for accept(2), and
/// for files that are open for a moment.
const RESERVED_DESCRIPTORS: usize = 32;

/// Number of descriptors that each of the two processes needs for a session. Keeper: terminal,
/// memory, input pipe, stored checkpoint. Server: terminal, program, input pipe, and an epoll(7)
/// instance while input waits for a program that does not read.
const DESCRIPTORS_PER_SESSION: usize = 4;

/// Quarters of the other descriptors that sessions may have. Connections and attachments have the
/// rest.
const SESSION_QUARTERS: usize = 3;

/// Maximum number of connections at a time that are no attachments, however many descriptors there
/// are.
const MAX_CONNECTIONS: usize = 1024;

/// Maximum number of attachments at a time, however many descriptors there are.
const MAX_ATTACHMENTS: usize = 8192;

/// Minimum number of connections, and of attachments, however few descriptors there are. It is also
/// the minimum share of one address, or of one phase of a connection. A browser that loads the page
/// opens six connections.
const MIN_CONNECTIONS: usize = 8;

/// Maximum number of attachments of guests with one grant, and to one session, however many
/// attachments there may be.
const MAX_GUESTS_PER_GRANT: usize = 512;
const MAX_GUESTS_PER_SESSION: usize = 768;

/// Maximum number of attachments with one grant, or of guests from one address, that have not said
/// `hello` yet.
const MAX_PENDING_PER_GRANT: usize = 32;

/// Maximum number of attachments of owners that have not said `hello` yet. A page that reconnects
/// opens one for each of its terminals.
const MAX_PENDING_OWNERS: usize = 256;

/// Limits on everything that takes a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorBudget {
    /// The limit of open files that all others follow from.
    pub open_files: usize,
    /// Sessions at a time, including those that have ended and are still kept.
    pub sessions: usize,
    /// Connections that are no attachments.
    pub connections: usize,
    /// Attachments.
    pub attachments: usize,
}

impl DescriptorBudget {
    /// Returns the budget of this process for at most `max_sessions` sessions.
    #[must_use]
    pub fn of_this_process(max_sessions: usize) -> Self {
        // Limit of the kernel in the absence of any other (`/proc/sys/fs/nr_open`).
        let kernel_limit = 1 << 20;
        let open_files =
            getrlimit(Resource::RLIMIT_NOFILE).map_or(kernel_limit, |(soft, _)| soft.min(kernel_limit));
        Self::new(usize::try_from(open_files).unwrap_or(usize::MAX), max_sessions)
    }

    pub(crate) fn new(open_files: usize, max_sessions: usize) -> Self {
        let usable = open_files.saturating_sub(OWN_DESCRIPTORS + RESERVED_DESCRIPTORS);
        let fitting_sessions = usable * SESSION_QUARTERS / 4 / DESCRIPTORS_PER_SESSION;
        let sessions = max_sessions.min(fitting_sessions.max(1));
        let rest = usable.saturating_sub(sessions * DESCRIPTORS_PER_SESSION);
        let connections = (rest / 3).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
        let attachments = rest.saturating_sub(connections).clamp(MIN_CONNECTIONS, MAX_ATTACHMENTS);
        Self { open_files, sessions, connections, attachments }
    }

    /// Returns the limit for connections without credentials, or with a pass only. The rest is for
    /// owners.
    #[must_use]
    pub fn non_owner_connections(&self) -> usize {
        self.connections - self.connections / 4
    }

    /// Returns the limit for foreign connections from one address. A proxy on this machine speaks
    /// for many, so a loopback address may have them all.
    #[must_use]
    pub fn connections_per_address(&self, is_loopback: bool) -> usize {
        let foreign = self.non_owner_connections();
        if is_loopback { foreign } else { (foreign / 4).max(MIN_CONNECTIONS) }
    }

    /// Returns the limit for foreign connections in one phase: those that are being answered and
    /// those that wait for another request, of guests and of strangers each. It leaves room for
    /// connections that are sending a request's head.
    #[must_use]
    pub fn connections_per_phase(&self) -> usize {
        (self.non_owner_connections() / 4).max(MIN_CONNECTIONS)
    }

    /// Returns the limit for attachments of guests. The rest is for owners.
    #[must_use]
    pub fn guest_attachments(&self) -> usize {
        self.attachments - self.attachments / 4
    }

    /// Returns the limit for attachments of guests to one session.
    #[must_use]
    pub fn guest_attachments_per_session(&self) -> usize {
        (self.attachments * 3 / 8).min(MAX_GUESTS_PER_SESSION)
    }

    /// Returns the limit for attachments of guests with one grant, and from one address that is no
    /// loopback address.
    #[must_use]
    pub fn guest_attachments_per_grant(&self) -> usize {
        (self.attachments / 4).min(MAX_GUESTS_PER_GRANT)
    }

    /// Returns the limit for attachments with one grant, or of guests from one address, that have
    /// not said `hello` yet.
    #[must_use]
    pub fn pending_per_grant(&self) -> usize {
        (self.attachments / 8).clamp(2, MAX_PENDING_PER_GRANT)
    }

    /// Returns the limit for attachments of owners that have not said `hello` yet.
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
                let all = budget.sessions * DESCRIPTORS_PER_SESSION + budget.connections + budget.attachments;
                assert!(all + OWN_DESCRIPTORS + RESERVED_DESCRIPTORS <= open_files, "{budget:?}");
                assert!(budget.sessions <= max_sessions && budget.sessions > 0, "{budget:?}");
                assert!(
                    budget.guest_attachments_per_grant() <= budget.guest_attachments_per_session(),
                    "{budget:?}"
                );
                assert!(budget.guest_attachments_per_session() < budget.guest_attachments(), "{budget:?}");
                assert!(budget.guest_attachments() < budget.attachments, "{budget:?}");
                assert!((1..=budget.attachments / 4).contains(&budget.pending_owners()), "{budget:?}");
                assert!(budget.connections_per_phase() < budget.non_owner_connections(), "{budget:?}");
            }
        }
        let typical = DescriptorBudget::new(1024, 256);
        assert_eq!((typical.sessions, typical.connections, typical.attachments), (180, 80, 160));
        let few = DescriptorBudget::new(0, 256);
        assert_eq!((few.sessions, few.connections), (1, MIN_CONNECTIONS));
    }
}
