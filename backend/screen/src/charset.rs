//! National and graphic character sets (ISO 2022, DEC), which replace characters of ASCII.

/// A character set that can be designated as G0 to G3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Charset {
    #[default]
    Ascii,
    /// Another set, given by the byte that designates it.
    Other(u8),
}

/// The sets G0 to G3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charsets {
    sets: [Charset; 4],
    /// Number of sets that were ever designated. DECRC restores no more of them than there were
    /// when the cursor was saved.
    designated: usize,
}

impl Charsets {
    /// All sets designated as ASCII.
    pub(super) const ASCII: Self = Self { sets: [Charset::Ascii; 4], designated: 4 };

    /// Returns the sets that were designated.
    pub(super) fn designated(&self) -> &[Charset] {
        &self.sets[..self.designated]
    }

    pub(super) fn get(&self, slot: usize) -> Charset {
        self.sets.get(slot).copied().unwrap_or_default()
    }

    pub(super) fn designate(&mut self, slot: usize, charset: Charset) {
        self.sets[slot] = charset;
        self.designated = self.designated.max(slot + 1);
    }

    pub(super) fn restore(&mut self, saved: Self) {
        for (slot, &charset) in saved.designated().iter().enumerate() {
            self.designate(slot, charset);
        }
    }
}

/// The sets: the bytes that designate each, the ASCII characters that it replaces, and their
/// replacements.
const SETS: [(&[u8], &str, &str); 12] = [
    (b"0", "`abcdefghijklmnopqrstuvwxyz{|}~", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"),
    (b"A", "#", "£"),
    (b"4", "#@[\\]{|}~", "£¾i½|¨f¼´"),
    (b"C5", "[\\]^`{|}~", "ÄÖÅÜéäöåü"),
    (b"R", "#@[\\]{|}~", "£à°ç§éùè¨"),
    (b"Q", "@[\\]^`{|}~", "àâçêîôéùèû"),
    (b"K", "@[\\]{|}~", "§ÄÖÜäöüß"),
    (b"Y", "#@[\\]`{|}~", "£§°çéùàòèì"),
    (b"E6", "@[\\]^`{|}~", "ÄÆØÅÜäæøåü"),
    (b"Z", "#@[\\]{|}", "£§¡Ñ¿°ñç"),
    (b"H7", "@[\\]^`{|}~", "ÉÄÖÅÜéäöåü"),
    (b"=", "#@[\\]^_`{|}~", "ùàéçêîèôäöüû"),
];

impl Charset {
    /// Returns the set that a byte designates. `None` if it is unknown.
    pub(super) fn designated(byte: u8) -> Option<Self> {
        match byte {
            b'B' => Some(Self::Ascii),
            _ => SETS.iter().any(|(names, ..)| names.contains(&byte)).then_some(Self::Other(byte)),
        }
    }

    /// Returns the byte that designates the set.
    pub(super) fn name(self) -> u8 {
        match self {
            Self::Ascii => b'B',
            Self::Other(byte) => byte,
        }
    }

    /// Returns the character that the set shows for `char`.
    pub(super) fn map(self, char: char) -> char {
        let Self::Other(name) = self else { return char };
        let set = SETS.iter().find(|(names, ..)| names.contains(&name));
        let found =
            set.and_then(|(_, from, to)| from.chars().zip(to.chars()).find(|&(from, _)| from == char));
        found.map_or(char, |(_, to)| to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_drawing() {
        let set = Charset::designated(b'0').unwrap();
        assert_eq!("lqk x ~A".chars().map(|c| set.map(c)).collect::<String>(), "┌─┐ │ ·A");
    }

    #[test]
    fn every_set_is_complete() {
        for (names, from, to) in SETS {
            assert_eq!(from.chars().count(), to.chars().count(), "{names:?}");
        }
        assert_eq!(Charset::designated(b'B'), Some(Charset::Ascii));
        assert_eq!(Charset::designated(b'!'), None);
    }
}
