//! SGR: select graphic rendition.

use super::{
    params::Params,
    style::{Attributes, Colour, Style, Underline},
};

/// Applies all parameters to the current style.
pub(super) fn apply(style: &mut Style, params: &Params) {
    let mut at = 0;
    while at < params.len() {
        at += apply_parameter(style, params, at) + 1;
    }
}

/// Resets everything but the hyperlink.
pub(super) fn reset(style: &mut Style) {
    *style = Style { link: style.link, ..Style::default() };
}

/// Applies the parameter at index `at`, and returns the number of parameters after it that belong
/// to it.
fn apply_parameter(style: &mut Style, params: &Params, at: usize) -> usize {
    let set = |style: &mut Style, attribute, on| style.attributes.set(attribute, on);
    let parameter = params.get(at);
    let ansi = |from: i32| Colour::Ansi(u8::try_from(parameter - from).unwrap_or(0));
    match parameter {
        0 => reset(style),
        1 => set(style, Attributes::BOLD, true),
        2 => set(style, Attributes::DIM, true),
        3 => set(style, Attributes::ITALIC, true),
        4 => set_underline(style, Underline::from_parameter(params.subs(at).first().copied().unwrap_or(1))),
        5 => set(style, Attributes::BLINK, true),
        7 => set(style, Attributes::INVERSE, true),
        8 => set(style, Attributes::INVISIBLE, true),
        9 => set(style, Attributes::STRIKETHROUGH, true),
        21 => set_underline(style, Underline::Double),
        22 => {
            set(style, Attributes::BOLD, false);
            set(style, Attributes::DIM, false);
        }
        23 => set(style, Attributes::ITALIC, false),
        24 => set_underline(style, Underline::None),
        25 => set(style, Attributes::BLINK, false),
        27 => set(style, Attributes::INVERSE, false),
        28 => set(style, Attributes::INVISIBLE, false),
        29 => set(style, Attributes::STRIKETHROUGH, false),
        30..=37 => style.foreground = ansi(30),
        38 => return read_extended_colour(&mut style.foreground, params, at),
        39 => style.foreground = Colour::Default,
        40..=47 => style.background = ansi(40),
        48 => return read_extended_colour(&mut style.background, params, at),
        49 => style.background = Colour::Default,
        53 => set(style, Attributes::OVERLINE, true),
        55 => set(style, Attributes::OVERLINE, false),
        58 => return read_extended_colour(&mut style.underline_colour, params, at),
        // As in xterm.js.
        59 => style.underline_colour = Colour::Rgb(255, 255, 255),
        90..=97 => style.foreground = ansi(90 - 8),
        100..=107 => style.background = ansi(100 - 8),
        221 => set(style, Attributes::BOLD, false),
        222 => set(style, Attributes::DIM, false),
        _ => {}
    }
    0
}

fn set_underline(style: &mut Style, underline: Underline) {
    style.underline = underline;
    style.attributes.set(Attributes::UNDERLINE, underline != Underline::None);
}

/// Reads the colour that follows `38`, `48` or `58`: `;5;n`, `;2;r;g;b`, `:5:n`, `:2::r:g:b`, and
/// all known variants of these. Returns the number of parameters that the colour took.
fn read_extended_colour(colour: &mut Colour, params: &Params, at: usize) -> usize {
    let byte = |value: i32| if value == -1 { 0 } else { value.to_le_bytes()[0] };
    if params.get(at + 1) == 5 && params.subs(at).is_empty() && params.subs(at + 1).is_empty() {
        *colour = Colour::Indexed(byte(params.get(at + 2)));
        return 2;
    }
    // Target, mode, colour space, and three values.
    let mut values = [0, 0, -1, 0, 0, 0];
    let (mut taken, mut space) = (0, 0);
    loop {
        values[taken + space] = params.get(at + taken);
        let subs = params.subs(at + taken);
        if !subs.is_empty() {
            for (place, &sub) in subs.iter().enumerate() {
                if values[1] == 5 {
                    space = 1;
                }
                match values.get_mut(taken + place + 1 + space) {
                    Some(value) => *value = sub,
                    None => break,
                }
            }
            break;
        }
        let complete = match values[1] {
            5 => taken + space >= 2,
            2 => taken + space >= 5,
            _ => false,
        };
        if complete {
            break;
        }
        if values[1] != 0 {
            space = 1;
        }
        taken += 1;
        if at + taken >= params.len() || taken + space >= values.len() {
            break;
        }
    }
    match values[1] {
        2 => *colour = Colour::Rgb(byte(values[3]), byte(values[4]), byte(values[5])),
        5 => *colour = Colour::Indexed(byte(values[3])),
        _ => {}
    }
    taken
}
