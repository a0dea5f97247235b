//! limpet's requests to the operating system, and its only unsafe code.
//!
//! The other crates forbid unsafe code and build on the safe functions here. This crate knows
//! nothing of sessions, viewers and messages. It may know nix, the C library, and the runtime to
//! the extent that a descriptor is registered with it.
//!
//! System calls without a safe wrapper elsewhere:
//!
//! * [`terminal`]: the slave side of a pty, its size, and the program that leads it.
//! * [`process`] and [`signals`]: pidfds, children, and what a new process inherits.
//! * [`memory`]: a ring of bytes in memory that outlives the process which uses it.
//! * [`descriptors`]: descriptors that another process or the service manager passes on.
//! * [`pipe`]: pipes that hold data on its way.
//! * [`reactor`]: descriptors that a runtime watches.
//!
//! What else only the system can do or tell:
//!
//! * [`background`]: threads for work that takes long.
//! * [`clock`]: the time since boot, which all processes share.
//! * [`exhausted`]: descriptions of what the system has run out of.
//! * [`random`]: random bytes.
//! * [`trust`]: checks of who could have changed a file.

pub mod background;
pub mod clock;
pub mod descriptors;
pub mod exhausted;
pub mod memory;
pub mod pipe;
pub mod process;
pub mod random;
pub mod reactor;
pub mod signals;
pub mod terminal;
pub mod trust;
