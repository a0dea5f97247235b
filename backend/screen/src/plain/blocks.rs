//! Detection of plain output in blocks of 64 bytes, with one bit of a word for each byte.

use wide::u8x16;

use super::{BLOCK_BYTES, C1_LEAD_BYTE};

/// The bytes of a block.
#[derive(Clone, Copy)]
struct Block([u8x16; 4]);

/// The state at the end of the blocks so far.
#[derive(Clone, Copy, Default)]
struct Carry {
    /// True if the last byte is an escape.
    escape: bool,
    /// True if the last byte is inside the parameters of a sequence, or just before them.
    parameters: bool,
    /// True if the last byte may have begun a C1 control.
    c1_lead: bool,
}

/// Returns the length of plain text and whole SGR sequences at the front of `output`, in whole
/// blocks.
pub(super) fn plain_length(output: &[u8]) -> usize {
    let (mut plain, mut carry) = (0, Carry::default());
    for (number, block) in output.as_chunks().0.iter().enumerate() {
        let Some(start) = Block::new(block).follow(&mut carry) else { break };
        match start {
            // The sequence that was unfinished before the block still is.
            UnfinishedStart::Before => {}
            UnfinishedStart::At(at) => plain = number * BLOCK_BYTES + at,
        }
    }
    plain
}

/// Start of the unfinished sequence or character at the end of a block, or the block's end if there
/// is none.
enum UnfinishedStart {
    Before,
    At(usize),
}

impl Block {
    fn new(bytes: &[u8; BLOCK_BYTES]) -> Self {
        let (parts, _) = bytes.as_chunks();
        Self(std::array::from_fn(|part| u8x16::new(parts[part])))
    }

    /// Returns one bit per byte, set where `is` holds.
    fn bits(self, is: impl Fn(u8x16) -> u8x16) -> u64 {
        self.0.iter().rev().fold(0, |bits, &part| bits << 16 | u64::from(is(part).to_bitmask()))
    }

    fn eq(self, byte: u8) -> u64 {
        self.bits(|part| part.simd_eq(u8x16::splat(byte)))
    }

    /// Returns the bytes that may be more than text.
    fn special(self) -> u64 {
        self.bits(|part| {
            let known = within(part, 0x07, 0x0a) | part.simd_eq(u8x16::splat(0x0d));
            within(part, 0, 0x1f) & !known | part.simd_eq(u8x16::splat(C1_LEAD_BYTE))
        })
    }

    /// Returns the start of the unfinished sequence or character at the end of the block. `None` if
    /// not all of the block is plain.
    fn follow(self, carry: &mut Carry) -> Option<UnfinishedStart> {
        let special = self.special();
        if special == 0 && !carry.escape && !carry.parameters && !carry.c1_lead {
            return Some(UnfinishedStart::At(BLOCK_BYTES));
        }
        let (escapes, c1_leads) = (self.eq(0x1b), self.eq(C1_LEAD_BYTE));
        if special != escapes | c1_leads {
            return None;
        }
        if c1_leads != 0 || carry.c1_lead {
            let seconds = c1_leads << 1 | u64::from(carry.c1_lead);
            if seconds & self.bits(|part| within(part, 0x80, 0x9f)) != 0 {
                return None;
            }
            carry.c1_lead = c1_leads >> 63 == 1;
        }
        if escapes != 0 || carry.escape || carry.parameters {
            self.follow_sequences(escapes, carry)?;
        }
        Some(match escapes {
            _ if carry.c1_lead => UnfinishedStart::At(BLOCK_BYTES - 1),
            _ if !carry.escape && !carry.parameters => UnfinishedStart::At(BLOCK_BYTES),
            0 => UnfinishedStart::Before,
            _ => UnfinishedStart::At(63 - escapes.leading_zeros() as usize),
        })
    }

    /// Updates `carry` for the sequences in the block. `None` if anything but SGR begins with an
    /// escape.
    fn follow_sequences(self, escapes: u64, carry: &mut Carry) -> Option<()> {
        let seconds = escapes << 1 | u64::from(carry.escape);
        if seconds & !self.eq(b'[') != 0 {
            return None;
        }
        // The parameters begin behind the bracket. A bit added to the front of their run comes out
        // behind it.
        let firsts = seconds << 1 | u64::from(carry.parameters);
        let parameters = self.bits(|part| within(part, b'0', b';'));
        let (sum, continues) = parameters.overflowing_add(firsts & parameters);
        let finals = (sum | firsts) & !parameters;
        if finals & !self.eq(b'm') != 0 {
            return None;
        }
        *carry = Carry { escape: escapes >> 63 == 1, parameters: continues || seconds >> 63 == 1, ..*carry };
        Some(())
    }
}

/// Returns the bytes between `first` and `last`.
fn within(part: u8x16, first: u8, last: u8) -> u8x16 {
    let above = part - u8x16::splat(first);
    above.min(u8x16::splat(last - first)).simd_eq(above)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{may_end_plain, sgr_length},
        *,
    };

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let odd: [&[u8]; 7] =
            [b"\x1b[6n", b"\x1b[K", b"\x1b\x1b[m", b"\x1b[1\x1b[m", b"\x1bM", b"\x05", b"\xc2\x9b"];
        let sequence = "[0-;]{0,9}".prop_map(|parameters| format!("\x1b[{parameters}m").into_bytes());
        let long = (100..200_usize).prop_map(|length| [b"\x1b[", &b"1;".repeat(length)[..], b"m"].concat());
        prop_oneof![
            8 => "[ -~\r\n\t]{0,20}".prop_map(String::into_bytes),
            8 => sequence,
            1 => long,
            3 => "[é日\u{a0}\u{b0}]{0,5}".prop_map(String::into_bytes),
            1 => proptest::sample::select(odd.to_vec()).prop_map(<[u8]>::to_vec),
        ]
    }

    /// Returns the length of the plain part at the front, byte by byte.
    fn plain_length_bytewise(output: &[u8]) -> usize {
        let step = |at: usize| match output.get(at)? {
            0x1b => sgr_length(&output[at..]),
            &C1_LEAD_BYTE => output.get(at + 1).filter(|&second| !(0x80..0xa0).contains(second)).map(|_| 1),
            &byte => (!may_end_plain(byte)).then_some(1),
        };
        let mut at = 0;
        while let Some(length) = step(at) {
            at += length;
        }
        at
    }

    proptest! {
        #[test]
        fn blocks_are_plain_as_far_as_their_bytes_are(pieces in proptest::collection::vec(piece(), 0..60)) {
            let output = pieces.concat();
            let (plain, all) = (plain_length(&output), plain_length_bytewise(&output));
            prop_assert_eq!(plain_length_bytewise(&output[..plain]), plain);
            let whole_blocks = &output[..all / BLOCK_BYTES * BLOCK_BYTES];
            prop_assert!(plain >= plain_length_bytewise(whole_blocks), "{} of {}", plain, all);
        }
    }
}
