//! The packed form of a row.
//!
//! A packed row is a sequence of runs, each a number and, for text, the characters in UTF-8. A row
//! of plain text takes little more than its characters, which is a tenth of its size as cells.

use crate::row::{Cell, Glyph, Row, StyleId};

/// The kind of a run, stored in the lowest bits of the number that begins it. The other bits hold
/// the run's length or the number of a style or cluster.
mod run {
    /// Characters of one column.
    pub(super) const NARROW: u64 = 0;
    /// Characters of two columns, each with the cell that continues it.
    pub(super) const WIDE: u64 = 1;
    /// Erased cells.
    pub(super) const BLANK: u64 = 2;
    /// The number of the style of the cells that follow.
    pub(super) const STYLE: u64 = 3;
    /// The number of a cluster and, in two bits, its width.
    pub(super) const CLUSTER: u64 = 4;
    /// Cells that continue a glyph to their left which is not a wide character.
    pub(super) const CONTINUATION: u64 = 5;
    pub(super) const BITS: u32 = 3;
}

/// Appends a row.
pub(super) fn pack(row: &Row, bytes: &mut Vec<u8>) {
    bytes.push(u8::from(row.wrapped));
    let row = row.whole();
    let mut rest = row.cells();
    let mut style: StyleId = 0;
    while let Some(first) = rest.first() {
        if first.style() != style {
            style = first.style();
            push_number(bytes, style.into(), run::STYLE);
        }
        let taken = pack_run(bytes, rest, style);
        rest = &rest[taken.max(1)..];
    }
}

/// Packs the cells at the front that can share a run, and returns their number.
fn pack_run(bytes: &mut Vec<u8>, cells: &[Cell], style: StyleId) -> usize {
    let first = cells[0];
    match (first.glyph(), first.width()) {
        (Glyph::Char(_), 2) => {
            let pairs = cells.chunks_exact(2).take_while(|pair| is_wide_pair(pair, style)).count();
            if pairs == 0 {
                // Half a wide glyph, which no operation leaves behind.
                push_number(bytes, 1, run::BLANK);
                return 1;
            }
            push_text(bytes, run::WIDE, cells[..2 * pairs].iter().step_by(2));
            2 * pairs
        }
        (Glyph::Char(_), _) => {
            // Most text begins with ASCII, which is fast to copy.
            let count = count_alike(cells, style, Cell::is_ascii);
            if count > 0 {
                push_number(bytes, count as u64, run::NARROW);
                bytes.extend(cells[..count].iter().map(|cell| cell.low_byte()));
                return count;
            }
            let count = count_alike(cells, style, |cell| cell.width() == 1 && cell.has_char());
            push_text(bytes, run::NARROW, cells[..count].iter());
            count
        }
        (Glyph::Blank, 0) => {
            let count = count_alike(cells, style, |cell| cell.width() == 0 && !cell.has_content());
            push_number(bytes, count as u64, run::CONTINUATION);
            count
        }
        (Glyph::Blank, _) => {
            let count = count_alike(cells, style, |cell| cell.width() == 1 && !cell.has_content());
            push_number(bytes, count as u64, run::BLANK);
            count
        }
        (Glyph::Cluster(cluster), width) => {
            push_number(bytes, u64::from(cluster) << 2 | u64::from(width), run::CLUSTER);
            1
        }
    }
}

/// Returns the number of cells at the front that have the style and satisfy `are`.
fn count_alike(cells: &[Cell], style: StyleId, are: impl Fn(Cell) -> bool) -> usize {
    cells.iter().take_while(|&&cell| cell.style() == style && are(cell)).count()
}

fn is_wide_pair(pair: &[Cell], style: StyleId) -> bool {
    matches!(pair[0].glyph(), Glyph::Char(_))
        && pair[0].width() == 2
        && pair[0].style() == style
        && pair[1] == Cell::continuation(style)
}

pub(super) fn unpack(packed: &[u8]) -> Row {
    let mut reader = Reader(packed);
    let wrapped = reader.read_byte() == Some(1);
    let mut cells = Vec::new();
    let mut style: StyleId = 0;
    while let Some((value, kind)) = reader.read_number() {
        let count = usize::try_from(value).unwrap_or(0);
        match kind {
            run::NARROW => cells.extend(reader.chars(count).map(|char| Cell::char(char, 1, style))),
            run::WIDE => {
                for char in reader.chars(count) {
                    cells.extend([Cell::char(char, 2, style), Cell::continuation(style)]);
                }
            }
            run::BLANK => cells.extend(std::iter::repeat_n(Cell::blank(style), count)),
            run::STYLE => style = StyleId::try_from(value).unwrap_or(0),
            run::CLUSTER => {
                let width = if value & 3 == 2 { 2 } else { 1 };
                cells.push(Cell::cluster(u32::try_from(value >> 2).unwrap_or(0), width, style));
            }
            _ => cells.extend(std::iter::repeat_n(Cell::continuation(style), count)),
        }
    }
    Row::from_cells(cells, wrapped)
}

/// A value shared by cells, given by its number in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Shared {
    Style(StyleId),
    Cluster(u32),
}

/// Calls `visitor` with each style and each cluster in a packed row, without unpacking its cells.
pub(super) fn visit(packed: &[u8], visitor: &mut impl FnMut(Shared)) {
    let mut reader = Reader(packed);
    reader.read_byte();
    while let Some((value, kind)) = reader.read_number() {
        match kind {
            run::NARROW | run::WIDE => reader.skip(usize::try_from(value).unwrap_or(0)),
            run::STYLE => visitor(Shared::Style(StyleId::try_from(value).unwrap_or(0))),
            run::CLUSTER => visitor(Shared::Cluster(u32::try_from(value >> 2).unwrap_or(0))),
            _ => {}
        }
    }
}

/// Appends characters, after their length in bytes.
fn push_text<'a>(bytes: &mut Vec<u8>, kind: u64, cells: impl Iterator<Item = &'a Cell> + Clone) {
    let chars = cells.filter_map(|cell| cell.as_char());
    let length: usize = chars.clone().map(char::len_utf8).sum();
    push_number(bytes, length as u64, kind);
    chars.for_each(|char| bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()));
}

/// Appends a number with a kind: seven bits per byte, the lowest first.
fn push_number(bytes: &mut Vec<u8>, value: u64, kind: u64) {
    let mut left = value << run::BITS | kind;
    while left >= 0x80 {
        bytes.push((left & 0x7f | 0x80).to_le_bytes()[0]);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn read_byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn read_number(&mut self) -> Option<(u64, u64)> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.read_byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 56 {
                return Some((value >> run::BITS, value & ((1 << run::BITS) - 1)));
            }
        }
    }

    fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    /// Returns the characters in the next `count` bytes.
    fn chars(&mut self, count: usize) -> std::str::Chars<'a> {
        let (text, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        std::str::from_utf8(text).unwrap_or_default().chars()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Generates cells as rows have them: wide ones with their second half.
    pub(in crate::scrollback) fn cells() -> impl Strategy<Value = Vec<Cell>> {
        let style = prop_oneof![Just(0_u32), 0..4_u32, Just(1 << 20)];
        let one =
            (style, any::<char>().prop_filter("NUL is a blank", |&char| char != '\0'), 0..6_u8, 1..100_u32);
        let group = one.prop_map(|(style, char, kind, number)| match kind {
            0 => vec![Cell::char(char, 2, style), Cell::continuation(style)],
            1 => vec![Cell::blank(style)],
            2 => vec![Cell::cluster(number, 1, style)],
            3 => vec![Cell::cluster(number, 2, style), Cell::continuation(style)],
            4 => vec![Cell::char('x', 1, style); 3],
            _ => vec![Cell::char(char, 1, style)],
        });
        proptest::collection::vec(group, 0..60).prop_map(|groups| groups.concat())
    }

    fn packed(row: &Row) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(row, &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn a_row_comes_back_as_it_was(cells in cells(), wrapped: bool) {
            let row = Row::from_cells(cells, wrapped);
            prop_assert_eq!(&unpack(&packed(&row)), &row);
            let mut seen = Vec::new();
            visit(&packed(&row), &mut |shared| seen.push(shared));
            for cell in row.cells() {
                prop_assert!(cell.style() == 0 || seen.contains(&Shared::Style(cell.style())));
                if let Glyph::Cluster(number) = cell.glyph() {
                    prop_assert!(seen.contains(&Shared::Cluster(number)));
                }
            }
        }

        #[test]
        fn no_bytes_are_too_strange(
            // Counts come from our own rows only; here they may be anything that is not absurdly
            // large.
            mut bytes in proptest::collection::vec(0..0x80_u8, 1..200),
            (at, high) in (any::<prop::sample::Index>(), any::<u8>()),
        ) {
            let at = at.index(bytes.len());
            bytes[at] = high;
            unpack(&bytes);
        }
    }

    #[test]
    fn plain_text_takes_little_more_than_its_characters() {
        let mut row = Row::default();
        row.write_ascii(0, &[b'x'; 80], 0);
        assert!(packed(&row).len() < 84);
    }
}
