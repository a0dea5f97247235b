//! A chart of horizontal bars in groups, each with its value and its range over the runs.

use std::fmt::Write as _;

use super::short;
use crate::stats::{Spread, float};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// A logarithmic scale that begins at a tenth of the smallest value.
    Logarithmic,
}

pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) spread: Spread,
}

pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) footer: String,
    pub(crate) scale: Scale,
    pub(crate) groups: Vec<Group>,
}

const WIDTH: f64 = 800.0;
const BARS_LEFT: f64 = 190.0;
/// Length of the longest bar. Its value follows it.
const MAX_BAR_LENGTH: f64 = 470.0;
const BARS_TOP: f64 = 44.0;
const BAR_HEIGHT: f64 = 15.0;
const GROUP_GAP: f64 = 12.0;
const FOOTER_HEIGHT: f64 = 30.0;

/// Colours that are readable on white and on black.
const COLOURS: [&str; 7] = ["#8a8f98", "#b08c3e", "#3a8f5c", "#5b7fb9", "#a5609a", "#c0604d", "#4b9a9f"];

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:15px}\
                     .s{font-size:11px;fill:#6e7781}.w{stroke:#24292f;stroke-opacity:.6}\
                     @media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.w{stroke:#e6edf3}}";

impl Chart {
    pub(crate) fn draw(&self) -> String {
        let bars: usize = self.groups.iter().map(|group| group.bars.len()).sum();
        let height =
            BARS_TOP + float(bars) * BAR_HEIGHT + float(self.groups.len()) * GROUP_GAP + FOOTER_HEIGHT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
             <style>{STYLE}</style>\n<text class=\"t\" x=\"10\" y=\"24\">{}</text>\n",
            escaped(&self.title)
        );
        let mut y = BARS_TOP;
        for group in &self.groups {
            let middle = y + float(group.bars.len()) * BAR_HEIGHT / 2.0 + 4.0;
            let label = escaped(&group.label);
            let _ = writeln!(svg, "<text x=\"10\" y=\"{middle}\">{label}</text>");
            for bar in &group.bars {
                self.add_bar(&mut svg, bar, y);
                y += BAR_HEIGHT;
            }
            y += GROUP_GAP;
        }
        let footer = escaped(&self.footer);
        let _ = writeln!(svg, "<text class=\"s\" x=\"10\" y=\"{}\">{footer}</text>\n</svg>", height - 10.0);
        svg
    }

    fn add_bar(&self, svg: &mut String, bar: &Bar, y: f64) {
        let Spread { median, min, max, .. } = bar.spread;
        let [length, least, most] = [median, min, max].map(|value| self.length(value));
        let (middle, base) = (y + BAR_HEIGHT / 2.0, y + BAR_HEIGHT - 4.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{BARS_LEFT}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{:.1}\" fill=\"{}\"/>\
             <line class=\"w\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
             <text class=\"s\" x=\"{:.1}\" y=\"{base:.1}\">{} {}</text>",
            y + 1.0,
            BAR_HEIGHT - 2.0,
            self.colour(&bar.name),
            BARS_LEFT + least,
            BARS_LEFT + most,
            BARS_LEFT + length.max(most) + 6.0,
            escaped(&bar.name),
            short(median),
        );
    }

    fn spreads(&self) -> impl Iterator<Item = Spread> + '_ {
        self.groups.iter().flat_map(|group| group.bars.iter().map(|bar| bar.spread))
    }

    fn length(&self, value: f64) -> f64 {
        let most = self.spreads().map(|spread| spread.max).fold(f64::MIN_POSITIVE, f64::max);
        let share = match self.scale {
            Scale::Linear => value / most,
            Scale::Logarithmic => {
                let positive = self.spreads().map(|spread| spread.min).filter(|&min| min > 0.0);
                let least = positive.fold(most, f64::min) / 10.0;
                (value.max(least) / least).ln() / (most / least).ln()
            }
        };
        share.clamp(0.0, 1.0) * MAX_BAR_LENGTH
    }

    /// Returns a server's colour, which is the same in the whole chart.
    fn colour(&self, name: &str) -> &'static str {
        let mut names: Vec<&str> = Vec::new();
        for bar in self.groups.iter().flat_map(|group| &group.bars) {
            if !names.contains(&bar.name.as_str()) {
                names.push(&bar.name);
            }
        }
        let fixed = ["reader", "relay", "limpet"];
        let place = fixed.iter().position(|fixed| *fixed == name).unwrap_or_else(|| {
            let others = names.iter().filter(|other| !fixed.contains(other));
            fixed.len() + others.take_while(|other| **other != name).count()
        });
        COLOURS[place % COLOURS.len()]
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale) -> Chart {
        let bar = |name: &str, median: f64| {
            let spread = Spread { median, min: median, max: median, runs: 1 };
            Bar { name: name.to_owned(), spread }
        };
        let groups =
            vec![Group { label: "a < b".to_owned(), bars: vec![bar("relay", 1.0), bar("limpet", 100.0)] }];
        Chart { title: "title".to_owned(), footer: String::new(), scale, groups }
    }

    #[test]
    fn the_longest_bar_is_as_long_as_may_be() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            assert!((chart(scale).length(100.0) - MAX_BAR_LENGTH).abs() < 1e-9);
        }
        assert!((chart(Scale::Linear).length(1.0) - MAX_BAR_LENGTH / 100.0).abs() < 1e-9);
        assert!(chart(Scale::Logarithmic).length(1.0) > MAX_BAR_LENGTH / 4.0);
    }

    #[test]
    fn a_drawing_is_well_formed() {
        let svg = chart(Scale::Linear).draw();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt; b") && !svg.contains("a < b"));
    }
}
