//! Output together with the sizes of the terminal.

use limpet_shared::Winsize;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Output(Vec<u8>),
    Resize(Winsize),
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) size: Winsize,
    pub(crate) steps: Vec<Step>,
}

impl Stream {
    /// Returns the number of bytes of output.
    pub(crate) fn len(&self) -> usize {
        let bytes = |step: &Step| if let Step::Output(bytes) = step { bytes.len() } else { 0 };
        self.steps.iter().map(bytes).sum()
    }
}
