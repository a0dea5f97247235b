//! Modes that programs can switch on and off.

use super::width::WidthRule;

/// The mouse events that are reported (`DECSET 9`, `1000`, `1002` and `1003`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum MouseTracking {
    #[default]
    Off,
    Presses,
    Buttons,
    Drags,
    Motion,
}

impl MouseTracking {
    pub(super) const fn from_mode(mode: i32) -> Option<Self> {
        match mode {
            9 => Some(Self::Presses),
            1000 => Some(Self::Buttons),
            1002 => Some(Self::Drags),
            1003 => Some(Self::Motion),
            _ => None,
        }
    }

    pub(super) const fn mode(self) -> Option<i32> {
        match self {
            Self::Off => None,
            Self::Presses => Some(9),
            Self::Buttons => Some(1000),
            Self::Drags => Some(1002),
            Self::Motion => Some(1003),
        }
    }
}

/// The encoding of mouse reports (`DECSET 1006` and `1016`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum MouseEncoding {
    #[default]
    Default,
    Sgr,
    SgrPixels,
}

impl MouseEncoding {
    pub(super) const fn from_mode(mode: i32) -> Option<Self> {
        match mode {
            1006 => Some(Self::Sgr),
            1016 => Some(Self::SgrPixels),
            _ => None,
        }
    }

    pub(super) const fn mode(self) -> Option<i32> {
        match self {
            Self::Default => None,
            Self::Sgr => Some(1006),
            Self::SgrPixels => Some(1016),
        }
    }
}

/// The cursor style set by DECSCUSR; `None` is the user's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CursorStyle {
    /// 0 is a block, 1 an underline, 2 a bar.
    pub(super) shape: Option<u8>,
    pub(super) blinks: Option<bool>,
}

impl CursorStyle {
    /// Returns the DECSCUSR number of the style.
    pub(super) fn number(self) -> u8 {
        match (self.shape, self.blinks) {
            (None, None) => 0,
            (shape, blinks) => shape.unwrap_or(3) * 2 + if blinks == Some(true) { 1 } else { 2 },
        }
    }
}

/// The modes that a soft reset (DECSTR) resets.
#[expect(clippy::struct_excessive_bools, reason = "each is a mode of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Modes {
    /// IRM: printed characters move the rest of the row.
    pub(super) insert: bool,
    /// DECCKM: cursor keys send application sequences.
    pub(super) application_cursor: bool,
    /// DECNKM: the keypad sends application sequences.
    pub(super) application_keypad: bool,
    /// DECOM: positions count from the scroll region's corner.
    pub(super) origin: bool,
    /// DECAWM: text wraps at the margin.
    pub(super) autowrap: bool,
    /// Reverse wrap-around: backspace moves from the start of a wrapped row to the row above.
    pub(super) reverse_wrap: bool,
    /// Focus reports.
    pub(super) focus: bool,
    pub(super) bracketed_paste: bool,
    /// Synchronized output: nothing is drawn until it ends.
    pub(super) synchronized: bool,
    /// Reports of changes between dark and light.
    pub(super) colour_scheme: bool,
    /// The rule by which columns are counted.
    pub(super) width_rule: WidthRule,
    pub(super) cursor: CursorStyle,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            insert: false,
            application_cursor: false,
            application_keypad: false,
            origin: false,
            autowrap: true,
            reverse_wrap: false,
            focus: false,
            bracketed_paste: false,
            synchronized: false,
            colour_scheme: false,
            width_rule: WidthRule::default(),
            cursor: CursorStyle::default(),
        }
    }
}

impl Modes {
    /// Returns the mode with a DEC private number, if it is a plain switch.
    pub(super) fn private(&mut self, number: i32) -> Option<&mut bool> {
        Some(match number {
            1 => &mut self.application_cursor,
            6 => &mut self.origin,
            7 => &mut self.autowrap,
            45 => &mut self.reverse_wrap,
            66 => &mut self.application_keypad,
            1004 => &mut self.focus,
            2004 => &mut self.bracketed_paste,
            2026 => &mut self.synchronized,
            2031 => &mut self.colour_scheme,
            _ => return None,
        })
    }
}

/// The state of kitty's keyboard protocol: flags for each of the two buffers, and stacks of earlier
/// flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keyboard {
    pub(super) flags: i32,
    /// The flags when the primary buffer was last left.
    pub(super) primary_flags: i32,
    /// The flags when the alternate buffer was last left.
    pub(super) alternate_flags: i32,
    pub(super) primary_stack: Vec<i32>,
    pub(super) alternate_stack: Vec<i32>,
}

/// Maximum number of flags on a stack.
const MAX_STACKED_FLAGS: usize = 16;

impl Keyboard {
    /// Executes `CSI = flags ; mode u`.
    pub(super) fn set(&mut self, flags: i32, mode: i32) {
        match mode {
            0 | 1 => self.flags = flags,
            2 => self.flags |= flags,
            3 => self.flags &= !flags,
            _ => {}
        }
    }

    /// Executes `CSI > flags u`.
    pub(super) fn push(&mut self, flags: i32, alternate: bool) {
        let before = self.flags;
        let stack = self.stack(alternate);
        if stack.len() >= MAX_STACKED_FLAGS {
            stack.remove(0);
        }
        stack.push(before);
        self.flags = flags;
    }

    /// Executes `CSI < count u`.
    pub(super) fn pop(&mut self, count: usize, alternate: bool) {
        let mut flags = self.flags;
        let stack = self.stack(alternate);
        for _ in 0..count {
            match stack.pop() {
                Some(before) => flags = before,
                None => break,
            }
        }
        self.flags = if stack.is_empty() { 0 } else { flags };
    }

    /// Switches to the alternate buffer's flags, even if that buffer is in use already.
    pub(super) fn enter_alternate(&mut self) {
        self.primary_flags = self.flags;
        self.flags = self.alternate_flags;
    }

    /// Switches to the primary buffer's flags, even if that buffer is in use already.
    pub(super) fn enter_primary(&mut self) {
        self.alternate_flags = self.flags;
        self.flags = self.primary_flags;
    }

    fn stack(&mut self, alternate: bool) -> &mut Vec<i32> {
        if alternate { &mut self.alternate_stack } else { &mut self.primary_stack }
    }
}
