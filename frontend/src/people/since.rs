//! How long something has been so, in plain words.

/// From one moment to another, both in milliseconds since the Unix epoch. Clocks that disagree make no difference to speak of.
#[must_use]
pub fn words(since_ms: u64, now_ms: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let count = |number: u64, unit: &str| {
        if number == 1 { format!("for one {unit}") } else { format!("for {number} {unit}s") }
    };
    match now_ms.saturating_sub(since_ms) / 1000 {
        0..MINUTE => "just came".to_owned(),
        seconds @ MINUTE..HOUR => count(seconds / MINUTE, "minute"),
        seconds @ HOUR..DAY => count(seconds / HOUR, "hour"),
        seconds => count(seconds / DAY, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_largest_unit_that_fits_is_said() {
        let said = |seconds: u64| words(5_000, 5_000 + seconds * 1000);
        assert_eq!(
            [0, 59, 60, 119, 120].map(said)[1..],
            ["just came", "for one minute", "for one minute", "for 2 minutes"]
        );
        assert_eq!(
            [3600, 7300, 86_400, 500_000].map(said),
            ["for one hour", "for 2 hours", "for one day", "for 5 days"]
        );
        assert_eq!(words(9_000, 1_000), "just came", "the server's clock is ahead");
    }
}
