//! Dropping styles, grapheme clusters and hyperlinks that no cell uses any more.

use super::{
    pending_function::UnfinishedFunction,
    row::{Glyph, Row},
    scrollback::{Scrollback, Shared},
    tables::{MAX_SHARED_BYTES, Tables},
    terminal::Terminal,
};

/// Steps to check a table entry, or to drop it.
const ENTRY_STEPS: usize = 16;

/// Steps to add a table entry.
const NEW_ENTRY_STEPS: usize = 64;

/// Bytes of hyperlinks dropped in one step.
const LINK_BYTES_PER_STEP: usize = 32;

/// Steps to drop a block of scrollback, whose memory goes back to the system.
const BLOCK_STEPS: usize = 1024;

/// Maximum number of steps that are spent on dropping values at once; more are left to the next
/// sweep.
const MAX_IMMEDIATE_DROP_STEPS: usize = 16 * 1024;

/// Packed bytes of scrollback searched in one step.
const SWEPT_BYTES_PER_STEP: usize = 2;

/// Unused values that take long to drop.
#[derive(Clone, Debug)]
pub(super) struct Discarded {
    tables: Tables,
    scrollback: Scrollback,
}

impl Discarded {
    fn steps(&self) -> usize {
        entry_steps(&self.tables) + BLOCK_STEPS * self.scrollback.block_count()
    }
}

/// Returns the number of steps to go through the tables.
fn entry_steps(tables: &Tables) -> usize {
    ENTRY_STEPS * tables.len() + tables.links_bytes() / LINK_BYTES_PER_STEP
}

impl Terminal {
    /// Drops unused values: at once, or in the next sweep if that takes long.
    pub(super) fn discard(&mut self, tables: Tables, scrollback: Scrollback) {
        let discarded = Discarded { tables, scrollback };
        // A small number of entries has been paid for when they were added.
        if discarded.steps() > MAX_IMMEDIATE_DROP_STEPS {
            self.discarded = Some(Box::new(discarded));
            self.steps.stop_at = self.steps.taken;
        }
    }

    /// Returns the number of steps to drop everything but the rows on the screen.
    pub(super) fn drop_steps(&self) -> u64 {
        (entry_steps(&self.tables) + BLOCK_STEPS * self.primary.scrollback.block_count()) as u64
    }

    /// Reports whether the tables have grown enough to be swept, or other slow work is waiting.
    pub(super) fn is_sweep_due(&self) -> bool {
        self.discarded.is_some() || self.tables.needs_growth() || self.is_full_sweep_due()
    }

    /// Reports whether a full sweep is due. At least as many steps lie between two sweeps as one
    /// takes, so that no output can cause more than half of all work to go into sweeping.
    fn is_full_sweep_due(&self) -> bool {
        self.tables.is_sweep_due() && self.steps.taken - self.steps.last_sweep >= self.full_sweep_steps()
    }

    /// Returns the number of steps that the next sweep takes.
    pub(super) fn sweep_steps(&self) -> u64 {
        match &self.discarded {
            Some(discarded) => discarded.steps() as u64,
            None if self.is_full_sweep_due() => self.full_sweep_steps(),
            None => entry_steps(&self.tables) as u64,
        }
    }

    fn full_sweep_steps(&self) -> u64 {
        let cells = 2 * (self.columns + 1) * self.rows;
        let packed = self.primary.scrollback.packed_bytes() / SWEPT_BYTES_PER_STEP;
        (cells + entry_steps(&self.tables) + packed) as u64
    }

    /// Drops discarded values if there are any. Otherwise drops styles, clusters and links that no
    /// cell uses, and the oldest rows if the scrollback uses too many of them; if it is too early
    /// for that, makes room for more.
    pub(super) fn sweep(&mut self) {
        if let Some(discarded) = self.discarded.take() {
            return self.spend(discarded.steps());
        }
        if self.tables.needs_growth() && !self.is_full_sweep_due() {
            self.spend(entry_steps(&self.tables));
            return self.tables.grow();
        }
        loop {
            let steps = self.full_sweep_steps();
            self.forget_unused();
            self.steps.taken += steps;
            let scrollback = &mut self.primary.scrollback;
            let rows = scrollback.len();
            if rows == 0 || self.tables.bytes() <= MAX_SHARED_BYTES {
                break;
            }
            let dropped = rows.div_ceil(2);
            scrollback.drop_oldest(dropped);
            self.primary.saved.line = self.primary.saved.line.saturating_sub(dropped);
        }
        self.pen_id = None;
        self.steps.last_sweep = self.steps.taken;
    }

    fn forget_unused(&mut self) {
        let Self { primary, alternate, tables, unfinished, held_cells, .. } = self;
        let changing = match unfinished.as_deref() {
            Some(UnfinishedFunction::Rows(_, change)) => change.cell().style(),
            _ => 0,
        };
        let pens = [self.pen, primary.saved.style, alternate.saved.style];
        tables.sweep(
            |visitor| {
                visitor(Shared::Style(changing));
                primary.scrollback.visit(&mut *visitor);
                let rows = [&*primary, &*alternate].into_iter().flat_map(|buffer| &buffer.screen);
                let held = held_cells.iter().flat_map(|held| held.cells());
                for cell in rows.flat_map(Row::all_cells).chain(held) {
                    visitor(Shared::Style(cell.style()));
                    if let Glyph::Cluster(number) = cell.glyph() {
                        visitor(Shared::Cluster(number));
                    }
                }
            },
            &pens,
        );
    }

    /// Counts the values added to the tables, and interrupts the parser if a sweep may be due.
    pub(super) fn count_added_values(&mut self) {
        let added = self.tables.take_added();
        self.spend(NEW_ENTRY_STEPS * added);
        if self.tables.is_sweep_due() || self.tables.needs_growth() {
            self.steps.stop_at = self.steps.taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;

    use super::*;
    use crate::Screen;

    /// Drops a large amount of data by a control function, and returns the steps that this takes at
    /// once and later.
    fn drop_by(function: &str, output: &str) -> (u64, u64) {
        let mut screen = Screen::new(Winsize::cells(80, 24), 100_000);
        screen.feed(output.as_bytes());
        let before = screen.steps();
        assert_eq!(screen.feed_within(format!("{function}more").as_bytes(), u64::MAX), function.len());
        assert!(screen.is_sweep_due(), "nothing more is parsed before");
        let (at_once, later) = (screen.steps() - before, screen.sweep_steps());
        screen.sweep();
        assert!(!screen.is_sweep_due() && screen.steps() == before + at_once + later);
        (at_once, later)
    }

    #[test]
    fn what_takes_long_to_drop_is_not_dropped_at_once() {
        let rows = (0..100_000).map(|n| format!("{n} {:070}\r\n", n * 12345)).collect::<Vec<_>>().concat();
        let styles = (0..20_000)
            .map(|n| format!("\x1b[38;2;{};{};1mx", n % 256, n / 256))
            .collect::<Vec<_>>()
            .concat();
        for (function, output) in [("\x1b[3J", &rows), ("\x1bc", &rows), ("\x1bc", &styles)] {
            let (at_once, later) = drop_by(function, output);
            let least = if output == &rows { 100 * BLOCK_STEPS } else { 10_000 * ENTRY_STEPS };
            assert!(at_once < 1000 && later >= least as u64, "{function:?}: {at_once}, {later}");
        }
    }
}
