//! All that a viewer's terminal has been given, as the page gives it to xterm.js.

use limpet_shared::{Epoch, Kind, OutputOffset, Resume, ServerMessage, Welcome, Winsize};

use crate::stream::Step;

/// What the page writes before a snapshot: CAN, RIS.
const CLEAR: &[u8] = b"\x18\x1bc";

/// A terminal that lives on when its connection does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Output and sizes in order, from the terminal's first size on.
    pub(crate) steps: Vec<Step>,
    epoch: Option<Epoch>,
    /// How much of the session's output has come.
    pub(crate) output: OutputOffset,
    /// How many of its sizes.
    pub(crate) resizes: u64,
    /// How many bytes of a snapshot are yet to come, if it has been announced.
    missing: Option<u64>,
    /// What had come after each step.
    positions: Vec<(OutputOffset, u64)>,
}

impl Shown {
    /// Where it is to go on, if it shows all that came before.
    pub(crate) fn resume(&self) -> Option<Resume> {
        if self.missing != Some(0) {
            return None;
        }
        let (output, resizes) = (self.output, Some(self.resizes));
        self.epoch.clone().map(|epoch| Resume { epoch, output, resizes })
    }

    /// Whether all has come that it was to be drawn.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing == Some(0)
    }

    /// How much has come: output and sizes.
    pub(crate) fn position(&self) -> (OutputOffset, u64) {
        (self.output, self.resizes)
    }

    pub(super) fn welcomed(&mut self, welcome: &Welcome) {
        let is_seamless = self.epoch.as_ref() == Some(&welcome.epoch) && self.output == welcome.output;
        if !is_seamless {
            if self.epoch.is_some() {
                self.write(CLEAR);
            }
            self.missing = (welcome.output == OutputOffset::ZERO).then_some(0);
        }
        self.epoch = Some(welcome.epoch.clone());
        self.output = welcome.output;
        self.resize(welcome.size, welcome.resizes);
    }

    pub(super) fn told(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Resize { size, resizes, .. } => self.resize(*size, *resizes),
            ServerMessage::Reset { output, bytes, .. } => {
                self.missing = Some(*bytes);
                self.write(CLEAR);
                self.output = *output;
            }
            _ => {}
        }
    }

    pub(super) fn given(&mut self, kind: Kind, payload: &[u8]) {
        match kind {
            Kind::Data => self.output = self.output.advanced(payload.len()),
            Kind::Snapshot => self.missing = self.missing.map(|missing| missing - payload.len() as u64),
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

    /// What had come of all this when so much had. It is to have shown everything from the start.
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

    /// The size that it has.
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
