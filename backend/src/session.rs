//! Sessions: one program on one pty each, with its output log. Sessions live on without viewers.
//!
//! * [`registry`] owns all sessions: it creates them as [`plan`] says, and forgets them.
//!   [`start_directory`] chooses the directory that a program starts in.
//! * [`actor`] is the one task that owns a session's pty and child, and [`request`] lists what it
//!   can be asked. [`output`] reads the program's output into the log, [`own_output`] adds limpet's
//!   own, [`flow`] decides when the program has to wait, [`input`] numbers what viewers type, and
//!   [`display`] maintains the session's screen. [`parse_guard`] keeps one session's output from
//!   crashing server after server.
//! * [`handoff`] gives the keeper what another server needs to continue a session, and [`input`]
//!   has the input journal.
//! * [`saving`] stores on disk what is needed to start sessions again after a reboot, and
//!   [`restore`] starts them.
//! * [`attach`] decides how a viewer begins: with the output that it lacks, or with a snapshot.
//!   [`guest_snapshots`] bounds the memory for snapshots that guests do not receive.
//! * [`feed`] tells listeners what has changed about any session.
//! * [`ended`] owns what a session leaves when its program has ended.
//! * [`handle`] is the interface to a session for everybody but the task that owns it, and
//!   [`departures`] tells that task which attachments were dropped. [`status`] is the published
//!   state, with the [`title`]; only [`status_publisher`] changes it. [`viewers`] knows the viewers
//!   and which of them is primary, and [`grant`] the credentials that they came with. [`sizing`]
//!   decides whose window gives the size, and [`size_changes`] when the terminal gets it.

mod actor;
mod attach;
mod departures;
mod display;
mod ended;
mod feed;
mod flow;
mod grant;
mod guest_snapshots;
mod handle;
mod handoff;
mod input;
mod output;
mod own_output;
mod parse_guard;
mod plan;
mod registry;
mod request;
mod restore;
mod saving;
mod size_changes;
mod sizing;
mod start_directory;
mod status;
mod status_publisher;
mod title;
mod viewers;

pub use self::{
    attach::{AttachmentStart, ResetSnapshot, max_snapshot_rows},
    flow::{Claim, FlowClass, HIGH_WATERMARK, LogReader, Rank},
    grant::GrantId,
    guest_snapshots::SnapshotFrames,
    handle::{Attachment, SessionHandle, TooManyAttaches},
    input::{InputError, InputProgress},
    plan::{CreateError, SpawnDefaults},
    registry::{Limits, Sessions},
    status::Status,
    viewers::{AttachingViewer, AttachmentId},
};
pub(crate) use self::{handle::StrainGuard, saving::SessionSaver};
