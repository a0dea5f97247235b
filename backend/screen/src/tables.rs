//! Values that cells share, stored by number: styles, grapheme clusters, hyperlinks.

use std::sync::Arc;

use limpet_shared::limits::MAX_CLUSTER_CHARS;

use super::{
    interner::Interner,
    row::{Glyph, Row, StyleId},
    scrollback::Shared,
    style::{LinkId, Style},
};

/// Maximum size of a screen's hyperlinks, in bytes. Text in further links has none until others are
/// gone.
pub(super) const MAX_LINKS_BYTES: usize = 8 * 1024 * 1024;

/// Maximum size of the styles, clusters and links that a scrollback uses, in bytes. If it uses
/// more, its oldest rows are dropped.
pub(super) const MAX_SHARED_BYTES: usize = 32 * 1024 * 1024;

/// Maximum size of a style in its table, in bytes, including spare capacity.
pub(super) const STYLE_BYTES: usize = 256;

/// Maximum size of a cluster in bytes, without its text.
pub(super) const CLUSTER_BYTES: usize = 256;

/// Size of a hyperlink in bytes, without its text.
const LINK_OVERHEAD_BYTES: usize = 256;

/// Minimum size of the links, in bytes, at which unused ones are searched for. Above this, a search
/// is due when the size has doubled since the last one.
pub(super) const MIN_SWEEP_LINKS_BYTES: usize = 256 * 1024;

/// A hyperlink (`OSC 8`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hyperlink {
    /// Identity by which programs join the parts of a link.
    pub(super) id: LinkName,
    pub(super) uri: String,
}

impl Hyperlink {
    /// Returns the size of the link, in bytes.
    fn size(&self) -> usize {
        let id = match &self.id {
            LinkName::Given(id) => id.len(),
            LinkName::Serial(_) => 0,
        };
        LINK_OVERHEAD_BYTES + id + self.uri.len()
    }
}

/// The identity shared by the parts of a hyperlink.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LinkName {
    /// A name given by the program.
    Given(String),
    /// The serial number of the sequence that opened the link.
    Serial(u64),
}

/// The tables of styles and of the values that do not fit into a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    styles: Interner<Style>,
    clusters: Interner<Arc<str>>,
    links: Interner<Arc<Hyperlink>>,
    /// Size of the links, in bytes.
    links_bytes: usize,
    /// Size of the links after the last sweep, in bytes.
    links_bytes_after_sweep: usize,
    /// True if a link was refused for lack of space.
    is_link_refused: bool,
    /// True if enough was added that a sweep is worthwhile. It is stored because it is read often.
    is_sweep_due: bool,
    /// True if a table has to grow.
    needs_growth: bool,
    /// Number of values added and not counted yet.
    added: usize,
}

impl Tables {
    pub(super) fn style(&self, id: StyleId) -> Style {
        self.styles.get(id).copied().unwrap_or_default()
    }

    pub(super) fn style_id(&mut self, style: Style) -> StyleId {
        let style = style.normalized();
        if style == Style::default() {
            return 0;
        }
        let known = self.styles.find(&style);
        known.unwrap_or_else(|| {
            let number = self.styles.intern(&style);
            self.record_added();
            number
        })
    }

    /// Returns the number of the cluster that consists of `text` and one more character. `text` has
    /// less than [`MAX_CLUSTER_CHARS`] characters.
    pub(super) fn cluster_number(&mut self, text: &str, last: char) -> u32 {
        let mut buffer = [0; char::MAX_LEN_UTF8 * MAX_CLUSTER_CHARS];
        let len = text.len().min(buffer.len() - char::MAX_LEN_UTF8);
        buffer[..len].copy_from_slice(&text.as_bytes()[..len]);
        let end = len + last.encode_utf8(&mut buffer[len..]).len();
        let text = std::str::from_utf8(&buffer[..end]).unwrap_or_default();
        self.clusters.find(text).unwrap_or_else(|| {
            let number = self.clusters.intern(&text.into());
            self.record_added();
            number
        })
    }

    /// Returns the number of the cluster that consists of another cluster and one more character.
    /// `None` if the other one is full.
    pub(super) fn extended_cluster(&mut self, number: u32, last: char) -> Option<u32> {
        let text = self.clusters.get(number).cloned().unwrap_or_default();
        let has_room = text.len() < MAX_CLUSTER_CHARS || text.chars().count() < MAX_CLUSTER_CHARS;
        has_room.then(|| self.cluster_number(&text, last))
    }

    pub(super) fn cluster(&self, number: u32) -> &str {
        self.clusters.get(number).map_or("", |text| text)
    }

    /// Returns the text of a row, without trailing blanks.
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

    pub(super) fn link(&self, id: LinkId) -> Option<&Hyperlink> {
        self.links.get(id.0).map(|link| &**link)
    }

    /// Returns the number of a link, or [`LinkId::NONE`] if there is no space for another one.
    pub(super) fn link_id(&mut self, link: Hyperlink) -> LinkId {
        if let Some(number) = self.links.find(&link) {
            return LinkId(number);
        }
        let size = link.size();
        if self.links_bytes + size > MAX_LINKS_BYTES {
            self.is_link_refused = true;
            self.record_added();
            return LinkId::NONE;
        }
        self.links_bytes += size;
        let number = self.links.intern(&Arc::new(link));
        self.record_added();
        LinkId(number)
    }

    /// Reports whether enough was added that a sweep is worthwhile.
    pub(super) fn is_sweep_due(&self) -> bool {
        self.is_sweep_due
    }

    /// Reports whether [`grow`](Self::grow) has to be called before much more is added.
    pub(super) fn needs_growth(&self) -> bool {
        self.needs_growth
    }

    /// Makes room for more values, which takes long if there are many.
    pub(super) fn grow(&mut self) {
        let Self { styles, clusters, links, .. } = self;
        if styles.needs_growth() {
            styles.grow();
        }
        if clusters.needs_growth() {
            clusters.grow();
        }
        if links.needs_growth() {
            links.grow();
        }
        self.needs_growth = false;
    }

    /// Returns the number of values added since the last call.
    pub(super) fn take_added(&mut self) -> usize {
        std::mem::take(&mut self.added)
    }

    /// Returns the size of the hyperlinks, in bytes.
    pub(super) fn links_bytes(&self) -> usize {
        self.links_bytes
    }

    fn record_added(&mut self) {
        self.added += 1;
        self.needs_growth =
            self.styles.needs_growth() || self.clusters.needs_growth() || self.links.needs_growth();
        let is_large = self.links_bytes > MIN_SWEEP_LINKS_BYTES.max(2 * self.links_bytes_after_sweep);
        self.is_sweep_due =
            self.styles.is_sweep_due() || self.clusters.is_sweep_due() || is_large || self.is_link_refused;
    }

    /// Returns the number of places in all tables.
    pub(super) fn len(&self) -> usize {
        self.styles.len() + self.clusters.len() + self.links.len()
    }

    /// Returns the maximum size of all values, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let clusters = self.clusters.values().map(|text| CLUSTER_BYTES + text.len());
        self.styles.len() * STYLE_BYTES + clusters.sum::<usize>() + self.links_bytes
    }

    /// Forgets all values but those that `visit` reports and those that `pens` use.
    pub(super) fn sweep(&mut self, visit: impl FnOnce(&mut dyn FnMut(Shared)), pens: &[Style]) {
        let (mut styles, mut clusters, mut links) =
            (NumberSet::default(), NumberSet::default(), NumberSet::default());
        visit(&mut |shared| match shared {
            Shared::Style(id) => styles.add(id),
            Shared::Cluster(number) => clusters.add(number),
        });
        self.styles.retain(|id| styles.has(id));
        self.clusters.retain(|number| clusters.has(number));
        self.styles.values().chain(pens).for_each(|style| links.add(style.link.0));
        self.links.retain(|id| links.has(id));
        self.links_bytes = self.links.values().map(|link| link.size()).sum();
        self.links_bytes_after_sweep = self.links_bytes;
        (self.is_link_refused, self.is_sweep_due, self.needs_growth) = (false, false, false);
    }
}

/// A set of numbers.
#[derive(Default)]
struct NumberSet(Vec<u64>);

impl NumberSet {
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
