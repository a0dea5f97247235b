//! What cells share, by numbers: styles, grapheme clusters, hyperlinks.

use std::sync::Arc;

use limpet_shared::limits::MAX_CLUSTER_CHARS;

use super::{
    row::{Glyph, Row, StyleId},
    scrollback::Shared,
    style::{LinkId, Style},
    table::Table,
};

/// What the hyperlinks of a screen may take, in bytes. Text that is printed in further ones has none, until others are gone.
pub(super) const MAX_LINKS_BYTES: usize = 8 * 1024 * 1024;

/// What styles, clusters and links may take, in bytes, where it is the scrollback that has them. Of a scrollback with more of them the
/// oldest rows go.
pub(super) const MAX_SHARED_BYTES: usize = 32 * 1024 * 1024;

/// What a style takes in its table at most, in bytes, with the room for others.
pub(super) const STYLE_BYTES: usize = 256;

/// What a cluster takes at most beside its text.
pub(super) const CLUSTER_BYTES: usize = 256;

/// What a hyperlink takes beside its text, in bytes.
const LINK_OVERHEAD_BYTES: usize = 256;

/// Links are looked through when they take twice as much as they did after the last time, and this at least, in bytes.
pub(super) const SWEEP_LINKS_BYTES: usize = 256 * 1024;

/// A hyperlink (`OSC 8`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// What programs join its parts by.
    pub(super) id: LinkName,
    pub(super) uri: String,
}

impl Link {
    /// What it takes, in bytes.
    fn size(&self) -> usize {
        let id = match &self.id {
            LinkName::Given(id) => id.len(),
            LinkName::Serial(_) => 0,
        };
        LINK_OVERHEAD_BYTES + id + self.uri.len()
    }
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
    clusters: Table<Arc<str>>,
    links: Table<Arc<Link>>,
    /// What the links take, in bytes.
    links_bytes: usize,
    /// What they took after they had been looked through.
    kept_links_bytes: usize,
    /// Whether there was no room for one.
    is_link_refused: bool,
    /// Whether so much has been added that it is worth while to look what is still needed. It is asked often.
    is_due: bool,
    /// Whether a table has to grow.
    lacks_room: bool,
    /// Values that were added and not counted yet.
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
            let number = self.styles.number(&style);
            self.note_added();
            number
        })
    }

    /// The number of the cluster that is made of text and one more character. The text holds less than [`MAX_CLUSTER_CHARS`].
    pub(super) fn cluster_number(&mut self, text: &str, last: char) -> u32 {
        let mut place = [0; char::MAX_LEN_UTF8 * MAX_CLUSTER_CHARS];
        let len = text.len().min(place.len() - char::MAX_LEN_UTF8);
        place[..len].copy_from_slice(&text.as_bytes()[..len]);
        let end = len + last.encode_utf8(&mut place[len..]).len();
        let text = std::str::from_utf8(&place[..end]).unwrap_or_default();
        self.clusters.find(text).unwrap_or_else(|| {
            let number = self.clusters.number(&text.into());
            self.note_added();
            number
        })
    }

    /// The number of the cluster that is made of another one and one more character. None if that one is full.
    pub(super) fn extended_cluster(&mut self, number: u32, last: char) -> Option<u32> {
        let text = self.clusters.get(number).cloned().unwrap_or_default();
        let has_room = text.len() < MAX_CLUSTER_CHARS || text.chars().count() < MAX_CLUSTER_CHARS;
        has_room.then(|| self.cluster_number(&text, last))
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
        self.links.get(id.0).map(|link| &**link)
    }

    /// The number of a link; that of none where there is no room for another one.
    pub(super) fn link_id(&mut self, link: Link) -> LinkId {
        if let Some(number) = self.links.find(&link) {
            return LinkId(number);
        }
        let size = link.size();
        if self.links_bytes + size > MAX_LINKS_BYTES {
            self.is_link_refused = true;
            self.note_added();
            return LinkId::NONE;
        }
        self.links_bytes += size;
        let number = self.links.number(&Arc::new(link));
        self.note_added();
        LinkId(number)
    }

    /// Whether so much has been added that it is worth while to look what is still needed.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Whether [`grow`](Self::grow) has to be called before much more is added.
    pub(super) fn lacks_room(&self) -> bool {
        self.lacks_room
    }

    /// Makes room for more values, which takes long where there are many.
    pub(super) fn grow(&mut self) {
        let Self { styles, clusters, links, .. } = self;
        if styles.lacks_room() {
            styles.grow();
        }
        if clusters.lacks_room() {
            clusters.grow();
        }
        if links.lacks_room() {
            links.grow();
        }
        self.lacks_room = false;
    }

    /// How many values were added since this was last called.
    pub(super) fn take_added(&mut self) -> usize {
        std::mem::take(&mut self.added)
    }

    /// What the hyperlinks take, in bytes.
    pub(super) fn links_bytes(&self) -> usize {
        self.links_bytes
    }

    fn note_added(&mut self) {
        self.added += 1;
        self.lacks_room = self.styles.lacks_room() || self.clusters.lacks_room() || self.links.lacks_room();
        let is_large = self.links_bytes > SWEEP_LINKS_BYTES.max(2 * self.kept_links_bytes);
        self.is_due = self.styles.is_due() || self.clusters.is_due() || is_large || self.is_link_refused;
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.styles.len() + self.clusters.len() + self.links.len()
    }

    /// What all of it takes, in bytes, at most.
    pub(super) fn bytes(&self) -> usize {
        let clusters = self.clusters.values().map(|text| CLUSTER_BYTES + text.len());
        self.styles.len() * STYLE_BYTES + clusters.sum::<usize>() + self.links_bytes
    }

    /// Forgets what neither those that `visit` tells of nor `pens` have.
    pub(super) fn sweep(&mut self, visit: impl FnOnce(&mut dyn FnMut(Shared)), pens: &[Style]) {
        let (mut styles, mut clusters, mut links) = (Marks::default(), Marks::default(), Marks::default());
        visit(&mut |shared| match shared {
            Shared::Style(id) => styles.add(id),
            Shared::Cluster(number) => clusters.add(number),
        });
        self.styles.retain(|id| styles.has(id));
        self.clusters.retain(|number| clusters.has(number));
        self.styles.values().chain(pens).for_each(|style| links.add(style.link.0));
        self.links.retain(|id| links.has(id));
        self.links_bytes = self.links.values().map(|link| link.size()).sum();
        self.kept_links_bytes = self.links_bytes;
        (self.is_link_refused, self.is_due, self.lacks_room) = (false, false, false);
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
