//! Control strings, and the window operations for titles.

use limpet_shared::limits::{MAX_LINK_ID_BYTES, MAX_LINK_URI_BYTES, MAX_TITLE_CHARS};

use super::super::{
    answers::Answers,
    palette::{SPECIAL_COLOURS, parse_colour},
    params::Params,
    style::LinkId,
    tables::{Hyperlink, LinkName},
    terminal::Terminal,
};
use super::snapshot_command::SNAPSHOT_COMMAND;

/// Maximum number of titles on the stack.
pub(in super::super) const MAX_TITLES: usize = 10;

impl Terminal {
    pub(super) fn operating_system_command(&mut self, number: u32, text: &str, answers: &mut Answers) {
        match number {
            0 | 2 => {
                self.title = text.chars().filter(|char| !char.is_control()).take(MAX_TITLE_CHARS).collect();
            }
            4 => self.indexed_colours(text, answers),
            8 => self.set_link(text),
            10..=12 => self.special_colours(text, number, answers),
            104 if text.is_empty() => self.palette.reset_indexed(),
            104 => {
                for index in text.split(';').filter_map(|index| index.parse::<u8>().ok()) {
                    self.palette.reset(index.into());
                }
            }
            110..=112 => self.palette.reset(SPECIAL_COLOURS[number as usize - 110]),
            SNAPSHOT_COMMAND => self.execute_snapshot_command(text),
            _ => {}
        }
    }

    /// XTWINOPS. Only the operations for the stack of titles are executed: they need no permission.
    pub(super) fn title_stack_operation(&mut self, params: &Params) {
        if !matches!(params.get(1), 0 | 2) {
            return;
        }
        match params.get(0) {
            22 => {
                if self.title_stack.len() == MAX_TITLES {
                    self.title_stack.remove(0);
                }
                self.title_stack.push(self.title.clone());
            }
            23 => self.title = self.title_stack.pop().unwrap_or_else(|| std::mem::take(&mut self.title)),
            _ => {}
        }
    }

    /// Sets and reports colours in order (`OSC 4 ; number ; colour …`).
    fn indexed_colours(&mut self, text: &str, answers: &mut Answers) {
        let mut fields = text.split(';');
        while let (Some(index), Some(colour)) = (fields.next(), fields.next()) {
            let Ok(index) = index.parse::<u8>() else { continue };
            if colour == "?" {
                answers.report_indexed_colour(&self.palette, index);
            } else if let Some(colour) = parse_colour(colour) {
                self.palette.set(index.into(), colour);
            }
        }
    }

    /// Sets and reports the colours of foreground, background and cursor (`OSC 10 ; colour …` to
    /// `OSC 12`).
    fn special_colours(&mut self, text: &str, first: u32, answers: &mut Answers) {
        for (field, number) in text.split(';').zip(first..=12) {
            if field == "?" {
                answers.report_special_colour(&self.palette, number);
            } else if let Some(colour) = parse_colour(field) {
                self.palette.set(SPECIAL_COLOURS[number as usize - 10], colour);
            }
        }
    }

    /// Sets the hyperlink of the text that follows (`OSC 8 ; parameters ; URI`).
    fn set_link(&mut self, text: &str) {
        let Some((parameters, uri)) = text.split_once(';') else { return };
        let mut pen = self.pen;
        let name = parameters.trim().split(':').find_map(|parameter| parameter.strip_prefix("id="));
        let is_too_long =
            uri.len() > MAX_LINK_URI_BYTES || name.is_some_and(|name| name.len() > MAX_LINK_ID_BYTES);
        if uri.is_empty() && !parameters.trim().is_empty() {
            return;
        }
        if uri.is_empty() || is_too_long {
            pen.link = LinkId::NONE;
        } else {
            let id = if let Some(name) = name.filter(|name| !name.is_empty()) {
                LinkName::Given(name.to_owned())
            } else {
                self.last_link_serial += 1;
                LinkName::Serial(self.last_link_serial)
            };
            pen.link = self.tables.link_id(Hyperlink { id, uri: uri.to_owned() });
        }
        self.set_pen(pen);
    }
}
