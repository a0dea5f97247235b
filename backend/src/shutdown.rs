//! Announces the end of the server to its connections and viewers.

use tokio_util::sync::CancellationToken;

/// The reason why viewers have to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Another server continues with the sessions.
    HandOver,
    /// limpet was stopped, and its sessions end.
    Stop,
}

/// The signal that the server is ending. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    started: CancellationToken,
    is_final: CancellationToken,
}

impl Shutdown {
    /// Tells all waiting tasks that the server is ending, and why. Only the first call counts.
    pub fn start(&self, shutdown_reason: ShutdownReason) {
        if self.started.is_cancelled() {
            return;
        }
        if shutdown_reason == ShutdownReason::Stop {
            self.is_final.cancel();
        }
        self.started.cancel();
    }

    /// Waits until the server is ending, and returns why. Cancel safe.
    pub async fn started(&self) -> ShutdownReason {
        self.started.cancelled().await;
        if self.is_final.is_cancelled() { ShutdownReason::Stop } else { ShutdownReason::HandOver }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_learn_why_the_server_ends() {
        for shutdown_reason in [ShutdownReason::HandOver, ShutdownReason::Stop] {
            let shutdown = Shutdown::default();
            let waiting = tokio::spawn({
                let shutdown = shutdown.clone();
                async move { shutdown.started().await }
            });
            shutdown.start(shutdown_reason);
            shutdown.start(ShutdownReason::Stop);
            assert_eq!(waiting.await.unwrap(), shutdown_reason);
            assert_eq!(shutdown.started().await, shutdown_reason);
        }
    }
}
