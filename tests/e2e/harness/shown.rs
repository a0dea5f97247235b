//! All output that a viewer's terminal has received, as the page writes it to xterm.js.

use limpet_client::Inflow;
use limpet_shared::{Header, Kind, OutputOffset, Resume, ServerMessage, Welcome, Winsize};

use crate::stream::Step;

/// Bytes that the page writes before a snapshot: CAN, RIS.
const CLEAR: &[u8] = b"\x18\x1bc";

/// A terminal that outlives its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Output and sizes in order, beginning with the terminal's first size.
    pub(crate) steps: Vec<Step>,
    /// The position in the session's output, as a client keeps it.
    inflow: Inflow,
    /// The position after each step.
    positions: Vec<(OutputOffset, u64)>,
}

impl Shown {
    /// Returns the position to resume from, if the terminal shows everything before it.
    pub(crate) fn resume(&self) -> Option<Resume> {
        self.inflow.resume()
    }

    /// Reports whether the snapshot has arrived completely.
    pub(crate) fn is_whole(&self) -> bool {
        self.inflow.missing_bytes() == Some(0)
    }

    /// Returns the position: the output and the sizes that have arrived.
    pub(crate) fn position(&self) -> (OutputOffset, u64) {
        (self.inflow.received(), self.inflow.resizes())
    }

    /// Returns the number of the session's resizes that have arrived.
    pub(crate) fn resizes(&self) -> u64 {
        self.inflow.resizes()
    }

    pub(super) fn on_welcome(&mut self, welcome: &Welcome) {
        let has_begun = self.inflow.has_begun();
        if !self.inflow.begin(welcome) && has_begun {
            self.write(CLEAR);
        }
        self.resize(welcome.size);
    }

    pub(super) fn on_message(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Resize { size, resizes, .. } => {
                self.inflow.on_resized(*resizes);
                self.resize(*size);
            }
            ServerMessage::Reset { output, bytes, .. } => {
                self.write(CLEAR);
                self.inflow.skip_to(*output, *bytes);
            }
            _ => {}
        }
    }

    pub(super) fn on_frame(&mut self, header: Header, payload: &[u8]) {
        if header.kind == Kind::Snapshot {
            let missing = self.inflow.missing_bytes();
            assert!(missing >= Some(payload.len() as u64), "a snapshot is as long as announced: {missing:?}");
        }
        self.inflow.receive(header, Header::LEN + payload.len()).unwrap();
        self.write(payload);
    }

    fn resize(&mut self, size: Winsize) {
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
            *position = (self.inflow.received(), self.inflow.resizes());
        } else {
            self.steps.push(Step::Output(output.to_vec()));
            self.positions.push(self.position());
        }
    }
}
