//! Announces the end of the server to its connections and viewers.

use tokio_util::sync::CancellationToken;

/// The reason why viewers have to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Another server continues with the sessions.
    HandOver,
    /// limpet was stopped, and its sessions end.
    Stop,
}

/// The signal that the server is ending. Clones refer to the same signal.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    started: CancellationToken,
    is_final: CancellationToken,
}

impl Shutdown {
    /// Signals that the server is ending, and why. Only the first call has an effect.
    pub fn start(&self, farewell: Farewell) {
        if self.started.is_cancelled() {
            return;
        }
        if farewell == Farewell::Stop {
            self.is_final.cancel();
        }
        self.started.cancel();
    }

    /// Waits until the server is ending, and returns the reason. Cancel safe.
    pub async fn started(&self) -> Farewell {
        self.started.cancelled().await;
        if self.is_final.is_cancelled() { Farewell::Stop } else { Farewell::HandOver }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_learn_why_the_server_ends() {
        for farewell in [Farewell::HandOver, Farewell::Stop] {
            let shutdown = Shutdown::default();
            let waiting = tokio::spawn({
                let shutdown = shutdown.clone();
                async move { shutdown.started().await }
            });
            shutdown.start(farewell);
            shutdown.start(Farewell::Stop);
            assert_eq!(waiting.await.unwrap(), farewell);
            assert_eq!(shutdown.started().await, farewell);
        }
    }
}
