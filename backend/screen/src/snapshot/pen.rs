//! Styles as control sequences.

use std::fmt::Write as _;

use super::Writer;
use crate::{
    style::{Attributes, Colour, LinkId, Style, Underline},
    tables::LinkName,
};

/// The style in which the terminal would print now.
#[derive(Debug, Default)]
pub(super) struct PenWriter {
    pub(super) style: Style,
    /// Size of the hyperlinks written so far, in bytes.
    links_bytes: usize,
}

/// Maximum size of the hyperlinks in a snapshot, in bytes. If there are more, the newest text has
/// no links.
const MAX_SNAPSHOT_LINKS_BYTES: usize = 8 * 1024 * 1024;

impl Writer<'_> {
    /// Changes the terminal's current style.
    pub(super) fn set_style(&mut self, style: Style) {
        let before = self.pen.style;
        if before.link != style.link {
            self.set_link(style.link);
        }
        if before.without_link() != style.without_link() {
            self.write_control(&sgr(style));
            if style.attributes.has(Attributes::PROTECTED) {
                self.write_control("\x1b[1\"q");
            }
        }
        self.pen.style = style;
    }

    fn set_link(&mut self, id: LinkId) {
        let link = self.tables.link(id);
        self.pen.links_bytes += link.map_or(0, |link| link.uri.len());
        let text = link.filter(|_| self.pen.links_bytes <= MAX_SNAPSHOT_LINKS_BYTES).map_or_else(
            || "\x1b]8;;\x1b\\".to_owned(),
            |link| {
                let id = match &link.id {
                    LinkName::Given(id) => format!("id={id}"),
                    LinkName::Serial(_) => String::new(),
                };
                format!("\x1b]8;{id};{}\x1b\\", link.uri)
            },
        );
        self.write_control(&text);
    }
}

/// Returns the sequence that sets a style regardless of the one before.
fn sgr(style: Style) -> String {
    let mut text = String::from("\x1b[0");
    let flags = [
        (Attributes::BOLD, ";1"),
        (Attributes::DIM, ";2"),
        (Attributes::ITALIC, ";3"),
        (Attributes::BLINK, ";5"),
        (Attributes::INVERSE, ";7"),
        (Attributes::INVISIBLE, ";8"),
        (Attributes::STRIKETHROUGH, ";9"),
        (Attributes::OVERLINE, ";53"),
    ];
    for (flag, parameter) in flags {
        if style.attributes.has(flag) {
            text.push_str(parameter);
        }
    }
    text.push_str(match style.underline {
        _ if !style.attributes.has(Attributes::UNDERLINE) => "",
        Underline::None | Underline::Single => ";4",
        Underline::Double => ";4:2",
        Underline::Curly => ";4:3",
        Underline::Dotted => ";4:4",
        Underline::Dashed => ";4:5",
    });
    push_colour(&mut text, style.foreground, 30);
    push_colour(&mut text, style.background, 40);
    push_colour(&mut text, style.underline_colour, 50);
    text.push('m');
    text
}

/// Appends a colour. `base` is 30 for the foreground, 40 for the background, 50 for underlines.
fn push_colour(text: &mut String, colour: Colour, base: u8) {
    let extended = base + 8;
    // Writing to a string cannot fail.
    let _ = match colour {
        Colour::Default => Ok(()),
        Colour::Ansi(number @ 0..8) => write!(text, ";{}", base + number),
        Colour::Ansi(number) => write!(text, ";{}", base + 60 + number - 8),
        Colour::Indexed(number) => write!(text, ";{extended};5;{number}"),
        Colour::Rgb(red, green, blue) => write!(text, ";{extended};2;{red};{green};{blue}"),
    };
}
