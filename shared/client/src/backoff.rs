//! The delay before the next connection attempt.

/// Maximum delay before the first retry, in milliseconds.
pub const FIRST_DELAY_MS: f64 = 250.0;

/// Maximum delay, in milliseconds.
pub const MAX_DELAY_MS: f64 = 15_000.0;

/// Returns the delay in milliseconds after `attempt` attempts (1 or more) have failed in a row. It
/// doubles from [`FIRST_DELAY_MS`] to [`MAX_DELAY_MS`]. `jitter` (0 to 1, random) reduces it by up
/// to half, so that the viewers of a restarted server do not all arrive at once.
#[must_use]
pub fn delay_ms(attempt: u32, jitter: f64) -> f64 {
    let doublings = attempt.saturating_sub(1).min(16);
    let full = (FIRST_DELAY_MS * f64::from(1_u32 << doublings)).min(MAX_DELAY_MS);
    full * (1.0 - jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let waits: Vec<f64> = (1..=8).map(|attempt| delay_ms(attempt, 0.0)).collect();
        assert_eq!(waits, [250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 15_000.0, 15_000.0]);
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds(attempt: u32, jitter in 0.0..=1.0_f64) {
            let wait = delay_ms(attempt, jitter);
            prop_assert!((FIRST_DELAY_MS / 2.0..=MAX_DELAY_MS).contains(&wait));
            prop_assert!(wait <= delay_ms(attempt.saturating_add(1), jitter));
        }
    }
}
