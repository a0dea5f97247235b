//! Arithmetic on sRGB colours: mixing, and contrast as defined by WCAG 2.2.

use limpet_shared::theme::Rgb;

const BLACK: Rgb = Rgb { red: 0, green: 0, blue: 0 };
const WHITE: Rgb = Rgb { red: 255, green: 255, blue: 255 };

/// Mixes `percent` (0 to 100) of `to` into `from`, channel by channel.
#[must_use]
pub fn mix(from: Rgb, to: Rgb, percent: u8) -> Rgb {
    let percent = u32::from(percent.min(100));
    let channel = |from: u8, to: u8| {
        let mixed = (u32::from(from) * (100 - percent) + u32::from(to) * percent + 50) / 100;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    Rgb {
        red: channel(from.red, to.red),
        green: channel(from.green, to.green),
        blue: channel(from.blue, to.blue),
    }
}

/// Returns the relative luminance as defined by WCAG 2.2, from 0 (black) to 1 (white).
#[must_use]
pub fn luminance(colour: Rgb) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue)
}

/// Returns the contrast ratio as defined by WCAG 2.2, from 1 (none) to 21 (black on white).
#[must_use]
pub fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Moves `colour` towards black or white, only as far as needed for a contrast of `ratio` with each
/// of `grounds`. Returns black or white if no mixture reaches the ratio.
#[must_use]
pub fn readable(colour: Rgb, grounds: &[Rgb], ratio: f64) -> Rgb {
    let worst = |colour: Rgb| grounds.iter().map(|&ground| contrast(colour, ground)).fold(f64::MAX, f64::min);
    let pole = if worst(WHITE) >= worst(BLACK) { WHITE } else { BLACK };
    (0..=100).map(|percent| mix(colour, pole, percent)).find(|&mixed| worst(mixed) >= ratio).unwrap_or(pole)
}

/// Returns a text colour for a background: `first` or `second`, whichever has more contrast, made
/// readable.
#[must_use]
pub fn text_on(ground: Rgb, first: Rgb, second: Rgb) -> Rgb {
    let better = if contrast(first, ground) >= contrast(second, ground) { first } else { second };
    readable(better, &[ground], 4.5)
}
