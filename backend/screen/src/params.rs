//! The parameters of a control sequence.

/// Maximum number of parameters, and of the sub-parameters of all of them together. More are
/// dropped.
const MAX_PARAMS: usize = 32;

/// Numbers between semicolons, each with the numbers after it between colons.
///
/// A parameter that was left out is 0, a sub-parameter that was left out is -1.
#[derive(Clone, Debug)]
pub(super) struct Params {
    values: [i32; MAX_PARAMS],
    count: usize,
    subs: [i32; MAX_PARAMS],
    sub_count: usize,
    /// Start and end of the sub-parameters of each parameter.
    ranges: [(u8, u8); MAX_PARAMS],
    digits_for: Target,
}

/// The destination of the next digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Param,
    Sub,
    /// There was no room for the parameter.
    DroppedParam,
    /// There was no room for the sub-parameter; another parameter may follow.
    DroppedSub,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            values: [0; MAX_PARAMS],
            count: 1,
            subs: [0; MAX_PARAMS],
            sub_count: 0,
            ranges: [(0, 0); MAX_PARAMS],
            digits_for: Target::Param,
        }
    }
}

impl Params {
    /// Resets to one parameter that is left out.
    pub(super) fn clear(&mut self) {
        self.values[0] = 0;
        self.ranges[0] = (0, 0);
        (self.count, self.sub_count, self.digits_for) = (1, 0, Target::Param);
    }

    /// Resets, and reads all bytes of a sequence that are from `0` to `;`.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        self.clear();
        while let Some((&first, rest)) = bytes.split_first() {
            let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                self.push(first);
                bytes = rest;
                continue;
            }
            let (number, rest) = bytes.split_at(digits);
            if let Some(slot) = self.current_number() {
                *slot = number.iter().fold(0, |number, &digit| append_digit(number, digit));
            }
            bytes = rest;
        }
    }

    /// Takes a byte from `0` to `;`.
    pub(super) fn push(&mut self, byte: u8) {
        match byte {
            b';' => self.next_param(),
            b':' => self.next_sub(),
            digit => {
                if let Some(slot) = self.current_number() {
                    *slot = append_digit((*slot).max(0), digit);
                }
            }
        }
    }

    /// Returns the number of parameters, at least one.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns a parameter; 0 if it was left out.
    pub(super) fn get(&self, at: usize) -> i32 {
        if at < self.count { self.values[at] } else { 0 }
    }

    /// Returns a count or a coordinate: 1 if it was left out or 0.
    pub(super) fn at_least_one(&self, at: usize) -> usize {
        usize::try_from(self.get(at)).unwrap_or(0).max(1)
    }

    pub(super) fn subs(&self, at: usize) -> &[i32] {
        if at >= self.count {
            return &[];
        }
        let (start, end) = self.ranges[at];
        self.subs.get(start.into()..end.into()).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i32> + '_ {
        self.values[..self.count].iter().copied()
    }

    /// Appends bytes that restore this state if they are [pushed](Self::push) to cleared
    /// parameters.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (at, value) in self.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"" } else { b";" });
            out.extend_from_slice(value.to_string().as_bytes());
            for &sub in self.subs(at) {
                out.push(b':');
                if sub >= 0 {
                    out.extend_from_slice(sub.to_string().as_bytes());
                }
            }
        }
        match self.digits_for {
            Target::Param | Target::Sub => {}
            Target::DroppedParam => out.push(b';'),
            Target::DroppedSub => out.push(b':'),
        }
    }

    fn next_param(&mut self) {
        if self.count == MAX_PARAMS || self.digits_for == Target::DroppedParam {
            self.digits_for = Target::DroppedParam;
            return;
        }
        let place = u8::try_from(self.sub_count).unwrap_or(u8::MAX);
        self.values[self.count] = 0;
        self.ranges[self.count] = (place, place);
        self.count += 1;
        self.digits_for = Target::Param;
    }

    fn next_sub(&mut self) {
        if self.digits_for == Target::DroppedParam {
            return;
        }
        if self.sub_count == MAX_PARAMS {
            self.digits_for = Target::DroppedSub;
            return;
        }
        self.subs[self.sub_count] = -1;
        self.sub_count += 1;
        self.ranges[self.count - 1].1 += 1;
        self.digits_for = Target::Sub;
    }

    /// Returns the number that the next digit is appended to.
    fn current_number(&mut self) -> Option<&mut i32> {
        match self.digits_for {
            Target::Param => self.values.get_mut(self.count - 1),
            Target::Sub => self.subs.get_mut(self.sub_count - 1),
            Target::DroppedParam | Target::DroppedSub => None,
        }
    }
}

fn append_digit(number: i32, digit: u8) -> i32 {
    number.saturating_mul(10).saturating_add((digit - b'0').into())
}
