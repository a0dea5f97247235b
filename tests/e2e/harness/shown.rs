//! All output that a viewer's terminal has received, as the page writes it to xterm.js.

use limpet_shared::{Epoch, Kind, OutputOffset, Resume, ServerMessage, Welcome, Winsize};

use crate::stream::Step;

/// Bytes that the page writes before a snapshot: CAN, RIS.
const CLEAR: &[u8] = b"\x18\x1bc";

/// A terminal that outlives its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Output and sizes in order, beginning with the terminal's first size.
    pub(crate) steps: Vec<Step>,
    epoch: Option<Epoch>,
    /// Offset up to which the session's output has arrived.
    pub(crate) output: OutputOffset,
    /// Number of the session's resizes that have arrived.
    pub(crate) resizes: u64,
    /// Bytes of the announced snapshot that have yet to arrive. `None` before a snapshot is
    /// announced.
    snapshot_bytes_missing: Option<u64>,
    /// The position after each step.
    positions: Vec<(OutputOffset, u64)>,
}

impl Shown {
    /// Returns the position to resume from, if the terminal shows everything before it.
    pub(crate) fn resume(&self) -> Option<Resume> {
        if self.snapshot_bytes_missing != Some(0) {
            return None;
        }
        let (output, resizes) = (self.output, Some(self.resizes));
        self.epoch.clone().map(|epoch| Resume { epoch, output, resizes })
    }

    /// Reports whether the snapshot has arrived completely.
    pub(crate) fn is_whole(&self) -> bool {
        self.snapshot_bytes_missing == Some(0)
    }

    /// Returns the position: the output and the sizes that have arrived.
    pub(crate) fn position(&self) -> (OutputOffset, u64) {
        (self.output, self.resizes)
    }

    pub(super) fn on_welcome(&mut self, welcome: &Welcome) {
        let is_seamless = self.epoch.as_ref() == Some(&welcome.epoch) && self.output == welcome.output;
        if !is_seamless {
            if self.epoch.is_some() {
                self.write(CLEAR);
            }
            self.snapshot_bytes_missing = (welcome.output == OutputOffset::ZERO).then_some(0);
        }
        self.epoch = Some(welcome.epoch.clone());
        self.output = welcome.output;
        self.resize(welcome.size, welcome.resizes);
    }

    pub(super) fn on_message(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Resize { size, resizes, .. } => self.resize(*size, *resizes),
            ServerMessage::Reset { output, bytes, .. } => {
                self.snapshot_bytes_missing = Some(*bytes);
                self.write(CLEAR);
                self.output = *output;
            }
            _ => {}
        }
    }

    pub(super) fn on_frame(&mut self, kind: Kind, payload: &[u8]) {
        match kind {
            Kind::Data => self.output = self.output.advanced(payload.len()),
            Kind::Snapshot => {
                self.snapshot_bytes_missing =
                    self.snapshot_bytes_missing.map(|missing| missing - payload.len() as u64);
            }
        }
        self.write(payload);
    }

    fn resize(&mut self, size: Winsize, resizes: u64) {
        self.resizes = resizes;
        if self.size() != Some(size) {
            self.steps.push(Step::Resize(size));
            self.positions.push(self.position());
        }
    }

    /// Returns the steps up to a position. The terminal must have received all output from the
    /// start.
    pub(crate) fn until(&self, (output, resizes): (OutputOffset, u64)) -> Vec<Step> {
        let mut until = Vec::new();
        for (step, &(step_output, step_resizes)) in self.steps.iter().zip(&self.positions) {
            match step {
                Step::Resize(_) if step_resizes <= resizes => until.push(step.clone()),
                Step::Output(bytes) if step_resizes <= resizes => {
                    let beyond = usize::try_from(step_output.since(output)).unwrap();
                    until.push(Step::Output(bytes[..bytes.len().saturating_sub(beyond)].to_vec()));
                }
                _ => break,
            }
        }
        until
    }

    /// Returns the terminal's size.
    pub(crate) fn size(&self) -> Option<Winsize> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Resize(size) => Some(*size),
            Step::Output(_) => None,
        })
    }

    fn write(&mut self, output: &[u8]) {
        if let (Some(Step::Output(before)), Some(position)) =
            (self.steps.last_mut(), self.positions.last_mut())
        {
            before.extend_from_slice(output);
            *position = (self.output, self.resizes);
        } else {
            self.steps.push(Step::Output(output.to_vec()));
            self.positions.push(self.position());
        }
    }
}
