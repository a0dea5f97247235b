//! Positions in a stream of bytes, counted from its very first byte.
//!
//! Output and input are different streams, so their offsets are different types.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! offset {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The first byte's position.
            pub const ZERO: Self = Self(0);

            /// Returns the position after `bytes` bytes.
            #[must_use]
            pub const fn new(bytes: u64) -> Self {
                Self(bytes)
            }

            /// Returns the number of bytes before this position.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Returns the position `bytes` further on.
            #[must_use]
            pub const fn advanced(self, bytes: usize) -> Self {
                Self(self.0.saturating_add(bytes as u64))
            }

            /// Returns the position `bytes` earlier, or the first one.
            #[must_use]
            pub const fn before(self, bytes: usize) -> Self {
                Self(self.0.saturating_sub(bytes as u64))
            }

            /// Returns the number of bytes from `earlier` to this position, or 0 if `earlier` is
            /// later.
            #[must_use]
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

offset! {
    /// A position in a session's output log.
    OutputOffset
}

offset! {
    /// A position in one viewer's input.
    InputOffset
}
