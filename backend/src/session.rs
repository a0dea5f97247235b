//! Sessions: one program on one pty each, with its output log; they live on without viewers.
//!
//! * [`registry`] holds them all, makes them as [`plan`] says, and forgets them. [`start_directory`] is where their programs start.
//! * [`actor`] is the one task that owns a session's pty and child, [`request`] what it can be asked. [`output`] brings what the program prints into the
//!   log, [`own_output`] is what limpet itself puts there, [`flow`] decides when that has to wait, [`input`]
//!   numbers what viewers type, [`display`] is the session's screen, and [`parse_guard`] sees to it that its output does not crash server after server.
//! * [`keeping`] gives the keeper what another server needs to go on with a session; [`inlet`] accounts for its input.
//! * [`saving`] keeps on the disk what it takes to start sessions again after a reboot, and [`restoring`] does.
//! * [`begin`] is how a viewer begins: by what it lacks, or by a picture of the screen. [`guest_snapshots`] bounds what is kept of pictures
//!   for guests who do not take them.
//! * [`handle`] is what everybody else has of a session; [`status`] is what they can see of it, by its [`title`] too,
//!   [`seats`] who of them is there and has the pen, [`grant`] by whose credential, [`sizing`] decides whose size counts, and
//!   [`size_changes`] when the terminal gets it.

mod actor;
mod begin;
mod display;
mod ending;
mod flow;
mod grant;
mod guest_snapshots;
mod handle;
mod inlet;
mod input;
mod keeping;
mod output;
mod own_output;
mod parse_guard;
mod pile;
mod plan;
mod registry;
mod request;
mod restoring;
mod saving;
mod seats;
mod size_changes;
mod sizing;
mod start_directory;
mod status;
mod title;

pub use self::{
    begin::{Beginning, Redraw, rows_for},
    flow::HELD_BACK,
    grant::GrantId,
    guest_snapshots::SnapshotFrames,
    handle::{Attached, SessionHandle, TooOften},
    input::{InputError, Progress},
    plan::{CreateError, SpawnDefaults},
    registry::{Limits, Sessions},
    seats::{AttachmentId, Visitor},
    status::Status,
};
pub(crate) use self::{handle::Strain, saving::Saving};
