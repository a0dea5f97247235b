//! Describes durations in plain words.

/// Describes for how long a viewer has been attached. Both moments are in milliseconds since the
/// Unix epoch, on different clocks; their difference is usually too small to matter.
#[must_use]
pub fn attached_for(since_ms: u64, now_ms: u64) -> String {
    largest_unit(since_ms, now_ms).map_or_else(|| "just joined".to_owned(), |amount| format!("for {amount}"))
}

/// Describes how long ago something happened.
#[must_use]
pub fn ago(since_ms: u64, now_ms: u64) -> String {
    largest_unit(since_ms, now_ms).map_or_else(|| "just now".to_owned(), |amount| format!("{amount} ago"))
}

/// Describes a duration in its largest unit; `None` if it is shorter than a minute.
fn largest_unit(since_ms: u64, now_ms: u64) -> Option<String> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let count = |number: u64, unit: &str| {
        if number == 1 { format!("one {unit}") } else { format!("{number} {unit}s") }
    };
    Some(match now_ms.saturating_sub(since_ms) / 1000 {
        0..MINUTE => return None,
        seconds @ MINUTE..HOUR => count(seconds / MINUTE, "minute"),
        seconds @ HOUR..DAY => count(seconds / HOUR, "hour"),
        seconds => count(seconds / DAY, "day"),
    })
}

#[cfg(test)]
mod tests {
    use super::{ago, attached_for};

    #[test]
    fn the_largest_unit_that_fits_is_said() {
        let said = |seconds: u64| attached_for(5_000, 5_000 + seconds * 1000);
        assert_eq!(
            [0, 59, 60, 119, 120].map(said)[1..],
            ["just joined", "for one minute", "for one minute", "for 2 minutes"]
        );
        assert_eq!(
            [3600, 7300, 86_400, 500_000].map(said),
            ["for one hour", "for 2 hours", "for one day", "for 5 days"]
        );
        assert_eq!([ago(0, 0), ago(0, 7_300_000)], ["just now", "2 hours ago"]);
        assert_eq!(attached_for(9_000, 1_000), "just joined", "the server's clock is ahead");
    }
}
