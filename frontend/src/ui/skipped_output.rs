//! Tells that output was skipped because it came too quickly, and loads the part of it that the
//! server still has.

use std::time::Duration;

use leptos::prelude::*;

use crate::terminal::PaneHandle;

/// The rows and bytes that a terminal does not show after a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkippedOutput {
    /// Number of scrollback rows that the server has and the terminal lacks.
    pub rows: u64,
    /// Number of output bytes that were skipped.
    pub skipped: u64,
}

impl SkippedOutput {
    /// Records a snapshot that lacks `rows` rows of scrollback and skipped `skipped` bytes of
    /// output.
    pub fn on_snapshot(&mut self, rows: u64, skipped: u64) {
        let before = if rows == 0 { 0 } else { self.skipped };
        *self = Self { rows, skipped: before + skipped };
    }

    /// Forgets the skipped bytes, so that they are not reported any more.
    pub fn dismiss(&mut self) {
        self.skipped = 0;
    }

    const fn is_shown(self) -> bool {
        self.rows > 0 && self.skipped > 0
    }
}

/// Time for which the message is shown after output was skipped.
const MESSAGE_DURATION: Duration = Duration::from_secs(15);

/// Tells for a while that output was skipped, and offers to load earlier rows. Scrolling up loads
/// them without the button.
#[component]
pub fn SkippedOutputNotice(
    /// The rows and bytes that are missing.
    skipped_output: RwSignal<SkippedOutput>,
    /// The pane that loads them.
    handle: PaneHandle,
) -> impl IntoView {
    let load = move |_| {
        handle.load_earlier();
        handle.focus();
    };
    Effect::new(move || {
        let dismiss = move || {
            // The terminal may be gone.
            let _ = skipped_output.try_update(SkippedOutput::dismiss);
        };
        if skipped_output.get().is_shown()
            && let Ok(timer) = set_timeout_with_handle(dismiss, MESSAGE_DURATION)
        {
            on_cleanup(move || timer.clear());
        }
    });
    view! {
        <Show when=move || skipped_output.get().is_shown()>
            <button class="skipped-output" on:click=load title="Load the skipped lines that the server still has">
                {move || label(skipped_output.get())}
            </button>
        </Show>
    }
}

fn label(SkippedOutput { rows, skipped }: SkippedOutput) -> String {
    let lines = if rows == 1 { "line".to_owned() } else { format!("{} lines", thousands(rows)) };
    format!("Skipped {}. Show the last {lines}", format_bytes(skipped))
}

/// Formats a number with thousands separators.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// Formats a number of bytes with a unit.
fn format_bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} bytes"),
        1024..1_048_576 => format!("{} KiB", count.div_ceil(1024)),
        _ => format!("{} MiB", count.div_ceil(1_048_576)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_round_and_readable() {
        assert_eq!([1023, 1024, 1025, 5 << 20].map(format_bytes), ["1023 bytes", "1 KiB", "2 KiB", "5 MiB"]);
        assert_eq!([7, 1000, 1_234_567].map(thousands), ["7", "1,000", "1,234,567"]);
        let label = label(SkippedOutput { rows: 1, skipped: 2048 });
        assert_eq!(label, "Skipped 2 KiB. Show the last line");
    }

    #[test]
    fn what_was_skipped_adds_up_until_it_is_loaded() {
        let mut skipped_output = SkippedOutput::default();
        skipped_output.on_snapshot(100, 5);
        skipped_output.on_snapshot(200, 6);
        assert_eq!(skipped_output, SkippedOutput { rows: 200, skipped: 11 });
        assert!(skipped_output.is_shown());
        skipped_output.dismiss();
        assert!(!skipped_output.is_shown(), "until something else is skipped");
        skipped_output.on_snapshot(200, 1);
        assert!(skipped_output.is_shown());
        skipped_output.on_snapshot(0, 0);
        assert_eq!(skipped_output, SkippedOutput::default());
    }
}
