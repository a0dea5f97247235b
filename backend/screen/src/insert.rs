//! Printing in insert mode (IRM), where each character moves the rest of its row to the right. A
//! run of characters moves it once.

use super::{
    print::{MAX_CHAR_STEPS, SOFT_HYPHEN},
    row::Cell,
    terminal::Terminal,
    width::measure,
};

impl Terminal {
    /// Prints characters up to the first that does not fit into the cursor's row, and moves the
    /// rest of the row once for all of them. Returns the number of characters printed.
    pub(super) fn insert_in_row(&mut self, chars: &[char]) -> usize {
        let (style, fill, columns) = (self.pen_id(), self.blank_cell(), self.columns);
        let width_rule = self.modes.width_rule;
        let start = self.buffer().x;
        let rest = self.buffer_mut().row().split_off(start);
        // A cluster that grows wider overwrites the cells behind it.
        let mut overwritten = 0;
        let mut printed = 0;
        for &char in chars {
            let preceding = self.preceding;
            let x = self.buffer().x;
            let shown = self.charsets.get(self.active_charset.into()).map(char);
            let now = if char == SOFT_HYPHEN { None } else { measure(shown, preceding, width_rule) };
            if let Some(now) = now {
                let width = usize::from(now.width);
                let old_width =
                    preceding.filter(|_| now.joins).map_or(0, |preceding| usize::from(preceding.width));
                if x + width - old_width > columns || now.joins && x == 0 {
                    break;
                }
                self.preceding = Some(now).filter(|now| now.width > 0);
                if now.joins {
                    self.join(shown, width, old_width);
                    overwritten += width.saturating_sub(old_width);
                } else {
                    let buffer = self.buffer_mut();
                    buffer.x += width;
                    let row = buffer.row();
                    // A cluster may have grown wide where there was no room for it.
                    if x > 0 && row.width(x - 1) == 2 {
                        row.set(x - 1, fill);
                    }
                    row.set(x, Cell::char(shown, now.width, style));
                    if width == 2 {
                        row.set(x + 1, Cell::continuation(style));
                    }
                }
            }
            printed += 1;
        }
        let buffer = self.buffer_mut();
        let x = buffer.x;
        let is_moved = x > start + overwritten;
        let row = buffer.row();
        row.append(x, rest.get(overwritten..).unwrap_or_default(), columns);
        if is_moved {
            row.drop_clipped();
            if row.width(columns - 1) == 2 {
                row.set(columns - 1, fill);
            }
        }
        row.trim();
        self.spend(columns - start.min(columns) + MAX_CHAR_STEPS * printed);
        printed
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::{Winsize, limits::max_repeat_count};
    use proptest::prelude::*;

    use crate::{Screen, row::Row, terminal::Terminal};

    /// Generates the content of a row, and the modes in force, before a repetition.
    fn before() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => proptest::sample::select(vec![
                "abc", "日本", "e\u{301}", "x\u{304}\u{301}", "❤\u{fe0f}", "👩\u{200d}👧", "🇩🇪", " ", "\r", "\n", "\x08", "\x1b[41m",
                "\x1b[m", "\x1b[2J", "\x1b[K", "\x1b[X", "\x1b[?7l", "\x1b[?7h", "\x1b[4l", "\x1b(0", "\x1b(B", "\x1b[?1049h",
            ])
            .prop_map(str::to_owned),
            2 => (1..14_u32, 1..6_u32).prop_map(|(column, row)| format!("\x1b[{row};{column}H")),
        ];
        proptest::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
    }

    /// Generates glyphs to repeat, which differ in their columns and in whether they grow wider.
    fn glyph() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "x",
            "日",
            "e\u{301}",
            "o\u{304}\u{301}\u{302}",
            "❤\u{fe0f}",
            "👩\u{200d}👧",
            "🇩🇪",
            "🇩",
            "\u{1100}",
            "\u{1100}\u{1161}",
            "日\u{301}",
            "\u{ad}",
            "\u{301}",
            "q",
        ])
    }

    /// Returns a snapshot that does not depend on the blank cells stored at the ends of rows.
    fn snapshot(mut screen: Screen) -> String {
        let Terminal { primary, alternate, .. } = &mut screen.terminal;
        primary.screen.iter_mut().chain(&mut alternate.screen).for_each(Row::trim);
        String::from_utf8(screen.snapshot(usize::MAX).output).unwrap()
    }

    /// Prints characters as text, and moves the rest of the row for each of them.
    fn print_one_by_one(screen: &mut Screen, chars: &[char]) {
        let terminal = &mut screen.terminal;
        terminal.erase_left_half();
        for &char in chars {
            terminal.print_char(char);
        }
        terminal.erase_right_half();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn a_repetition_is_like_its_characters_one_by_one(
            columns in 2..14_u16,
            before in before(),
            glyph in glyph(),
            count in 1..14_usize,
        ) {
            let mut screen = Screen::new(Winsize::cells(columns, 4), 10);
            screen.feed(format!("{before}\x1b[4h{glyph}").as_bytes());
            let mut other = screen.clone();
            screen.feed(format!("\x1b[{count}b").as_bytes());
            let terminal = &mut other.terminal;
            let glyph = terminal.preceding_glyph();
            let most = max_repeat_count(terminal.columns, terminal.rows, glyph.len(), true);
            if !glyph.is_empty() {
                print_one_by_one(&mut other, &glyph.repeat(count.min(most)));
            }
            other.terminal.preceding = None;
            prop_assert_eq!(snapshot(screen), snapshot(other));
        }

        #[test]
        fn a_run_is_like_its_characters_one_by_one(
            columns in 2..14_u16,
            before in before(),
            glyphs in proptest::collection::vec(glyph(), 1..8),
        ) {
            let mut screen = Screen::new(Winsize::cells(columns, 4), 10);
            screen.feed(format!("{before}\x1b[4h").as_bytes());
            let mut other = screen.clone();
            let run = glyphs.concat();
            screen.feed(run.as_bytes());
            print_one_by_one(&mut other, &run.chars().collect::<Vec<_>>());
            prop_assert_eq!(snapshot(screen), snapshot(other));
        }
    }

    #[test]
    fn a_repetition_moves_its_row_once() {
        let steps = |output: &str| {
            let mut screen = Screen::new(Winsize::cells(4096, 10), 0);
            screen.feed(b"\x1b[41m\x1b[2J\x1b[4h");
            let before = screen.steps();
            screen.feed(output.as_bytes());
            screen.steps() - before
        };
        for glyph in ["x", "日", "e\u{301}", "❤\u{fe0f}"] {
            for mode in ["\x1b[?7h", "\x1b[?7l\x1b[4096G"] {
                let steps = steps(&format!("{mode}{glyph}\x1b[4096b"));
                assert!(steps < 50 * 4096, "{glyph} {mode}: {steps}");
            }
        }
    }
}
