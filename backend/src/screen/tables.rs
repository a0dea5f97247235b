//! What cells share, by numbers: styles, grapheme clusters, hyperlinks.

use super::{
    row::{Glyph, Row, StyleId},
    style::{LinkId, Style},
    table::Table,
};

/// A hyperlink (`OSC 8`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// What programs join its parts by.
    pub(super) id: LinkName,
    pub(super) uri: String,
}

/// How the parts of a hyperlink know each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LinkName {
    /// By the name that the program gave it.
    Given(String),
    /// By having been opened together.
    Serial(u64),
}

/// A graphic rendition's table, and those of what does not fit into a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    styles: Table<Style>,
    clusters: Table<Box<str>>,
    links: Table<Link>,
}

impl Tables {
    pub(super) fn style(&self, id: StyleId) -> Style {
        self.styles.get(id).copied().unwrap_or_default()
    }

    pub(super) fn style_id(&mut self, style: Style) -> StyleId {
        let style = style.normalized();
        if style == Style::default() { 0 } else { self.styles.number(&style) }
    }

    pub(super) fn cluster_number(&mut self, text: String) -> u32 {
        self.clusters.number(&text.into_boxed_str())
    }

    pub(super) fn cluster(&self, number: u32) -> &str {
        self.clusters.get(number).map_or("", |text| text)
    }

    /// A row's text, without what is blank at its end.
    pub(super) fn text(&self, row: &Row) -> String {
        let mut text = String::new();
        for cell in row.cells() {
            match cell.glyph() {
                Glyph::Char(char) => text.push(char),
                Glyph::Cluster(number) => text.push_str(self.cluster(number)),
                Glyph::Blank if cell.width() > 0 => text.push(' '),
                Glyph::Blank => {}
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    pub(super) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id.0)
    }

    pub(super) fn link_id(&mut self, link: &Link) -> LinkId {
        LinkId(self.links.number(link))
    }

    /// Whether so much has been added that it is time to look what is still needed.
    pub(super) fn is_due(&self) -> bool {
        self.styles.is_due() || self.clusters.is_due() || self.links.is_due()
    }

    /// Forgets what neither `rows` nor `pens` have.
    pub(super) fn sweep(&mut self, rows: impl Iterator<Item = Row>, pens: &[Style]) {
        let (mut styles, mut clusters, mut links) = (Marks::default(), Marks::default(), Marks::default());
        for row in rows {
            for cell in row.cells() {
                styles.add(cell.style());
                if let Glyph::Cluster(number) = cell.glyph() {
                    clusters.add(number);
                }
            }
        }
        self.styles.retain(|id| styles.has(id));
        self.clusters.retain(|number| clusters.has(number));
        self.styles.values().chain(pens).for_each(|style| links.add(style.link.0));
        self.links.retain(|id| links.has(id));
    }
}

/// A set of numbers.
#[derive(Default)]
struct Marks(Vec<u64>);

impl Marks {
    fn add(&mut self, number: u32) {
        let word = number as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}
