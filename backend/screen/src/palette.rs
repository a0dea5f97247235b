//! Colours changed by the program (`OSC 4`, `10`, `11` and `12`).

use std::collections::BTreeMap;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// Numbers of the foreground, background and cursor colours, after the palette's 256.
pub(super) const SPECIAL_COLOURS: [u16; 3] = [256, 257, 258];

/// Differences from the theme. `None` until a program first sets or resets a colour: until then the
/// terminals of all viewers have the theme's colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Palette(Option<BTreeMap<u16, Rgb>>);

impl Palette {
    pub(super) fn set(&mut self, index: u16, colour: Rgb) {
        self.changes_mut().insert(index, colour);
    }

    pub(super) fn reset(&mut self, index: u16) {
        self.changes_mut().remove(&index);
    }

    /// Resets the 256 colours and leaves the special ones.
    pub(super) fn reset_indexed(&mut self) {
        self.changes_mut().retain(|&index, _| index >= SPECIAL_COLOURS[0]);
    }

    fn changes_mut(&mut self) -> &mut BTreeMap<u16, Rgb> {
        self.0.get_or_insert_default()
    }

    pub(super) fn get(&self, index: u16) -> Option<Rgb> {
        self.0.as_ref()?.get(&index).copied()
    }

    /// Returns the colours that differ from the theme's, or `None` if the program has never set or
    /// reset a colour.
    pub(super) fn changes(&self) -> Option<impl Iterator<Item = (u16, Rgb)> + '_> {
        Some(self.0.as_ref()?.iter().map(|(&index, &colour)| (index, colour)))
    }
}

/// Parses a colour as `XParseColor(3)` does: `rgb:` with one to four digits for each part, or `#`
/// with three, six, nine or twelve digits.
pub(super) fn parse_colour(text: &str) -> Option<Rgb> {
    if let Some((prefix, parts)) = text.split_at_checked(4)
        && prefix.eq_ignore_ascii_case("rgb:")
    {
        let mut parts = parts.split('/');
        let (red, green, blue) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let digits = red.len();
        let same = (1..=4).contains(&digits) && green.len() == digits && blue.len() == digits;
        return same
            .then(|| Some([scale_to_byte(red)?, scale_to_byte(green)?, scale_to_byte(blue)?]))
            .flatten();
    }
    let hex = text.strip_prefix('#')?;
    let digits = hex.len() / 3;
    if hex.len() % 3 != 0 || !(1..=4).contains(&digits) || !hex.is_ascii() {
        return None;
    }
    let part = |at: usize| first_byte(&hex[at * digits..(at + 1) * digits]);
    Some([part(0)?, part(1)?, part(2)?])
}

fn hex(digits: &str) -> Option<u32> {
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Scales a number so that its digits cover the whole range.
fn scale_to_byte(digits: &str) -> Option<u8> {
    let largest = 16_u32.pow(u32::try_from(digits.len()).ok()?) - 1;
    u8::try_from((hex(digits)? * 255 + largest / 2) / largest).ok()
}

/// Returns the first eight bits of a number.
fn first_byte(digits: &str) -> Option<u8> {
    let value = hex(digits)?;
    u8::try_from(match digits.len() {
        1 => value << 4,
        2 => value,
        3 => value >> 4,
        _ => value >> 8,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;

    use super::*;
    use crate::Screen;

    #[test]
    fn colours_are_reset_where_a_program_has_ever_said_anything_of_them() {
        let snapshot_after = |output: &[u8]| {
            let mut screen = Screen::new(Winsize::cells(20, 3), 0);
            screen.feed(output);
            String::from_utf8(screen.snapshot(0).output).unwrap()
        };
        assert!(!snapshot_after(b"text").contains("\x1b]104"));
        let reset = snapshot_after(b"\x1b]4;1;#123456\x1b\\\x1b]104\x1b\\");
        assert!(reset.contains("\x1b]104"), "there may be who has seen the other colour");
        assert_eq!(
            snapshot_after(reset.as_bytes()),
            reset,
            "and is to be, from a screen that was drawn anew"
        );
    }

    #[test]
    fn colours() {
        for (text, expected) in [
            ("rgb:f/0/8", Some([255, 0, 136])),
            ("rgb:ff/00/80", Some([255, 0, 128])),
            ("rgb:FFFF/0000/8000", Some([255, 0, 128])),
            ("#f08", Some([0xf0, 0, 0x80])),
            ("#ff0080", Some([255, 0, 128])),
            ("#fff000800", Some([255, 0, 128])),
            ("#ffff00008000", Some([255, 0, 128])),
            ("rgb:ff/0/80", None),
            ("#ff00", None),
            ("rgb:+f/00/80", None),
            ("red", None),
            ("", None),
            ("#äää", None),
        ] {
            assert_eq!(parse_colour(text), expected, "{text}");
        }
    }
}
