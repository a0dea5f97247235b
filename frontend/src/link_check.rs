//! Compares the address that a link's text shows with the address that it leads to. No DOM here.
//!
//! A program can attach a link to any text (OSC 8), so a text that reads `https://bank.example` may
//! lead elsewhere. Such a link opens only after the user has seen its true address.

#[cfg(test)]
mod tests;

/// A parsed address. The browser's own parser produces it, since the browser decides where a link
/// leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The whole address, in ASCII.
    pub href: String,
    /// The host, or a mailbox's domain, in ASCII.
    pub host: String,
    /// The part before the host, as in `https://user@host`.
    pub user: String,
    /// The recipient, if it is a mail address.
    pub mailbox: Option<String>,
}

/// The reason to ask the user before a link is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkWarning {
    /// The text names this host or mailbox, but the link leads to another one.
    NamesAnother(String),
    /// This user name is before the host, and could be mistaken for the host.
    HasUser(String),
    /// The host's name has letters that can look like others.
    LooksAlike,
}

/// Returns a reason to ask before a link to `address` is opened, if its visible text `shown` gives
/// one.
#[must_use]
pub fn find_warning(
    address: &Address,
    shown: &str,
    parse: impl Fn(&str) -> Option<Address>,
) -> Option<LinkWarning> {
    if !address.user.is_empty() {
        return Some(LinkWarning::HasUser(address.user.clone()));
    }
    let shown = fold_look_alikes(shown);
    let words = shown.split(|c| !is_address_char(c));
    let mut shown_addresses = words.filter_map(|word| shown_address(word, &parse));
    if let Some(other) = shown_addresses.find(|shown| !shown.agrees_with(address)) {
        return Some(LinkWarning::NamesAnother(other.mailbox.unwrap_or(other.host)));
    }
    let is_encoded = address.host.split('.').any(|label| label.starts_with("xn--"));
    is_encoded.then_some(LinkWarning::LooksAlike)
}

/// Reports whether a character can be part of an address. To a reader, any other character ends the
/// address.
#[must_use]
pub fn is_address_char(c: char) -> bool {
    c.is_alphanumeric() || ".-_:/@[]%?#=&~+".contains(c) || is_look_alike(c) || is_invisible(c)
}

/// A host or mailbox that a text names.
struct ShownAddress {
    host: String,
    mailbox: Option<String>,
}

impl ShownAddress {
    fn agrees_with(&self, address: &Address) -> bool {
        match (&self.mailbox, &address.mailbox) {
            (Some(shown), Some(actual)) => shown.eq_ignore_ascii_case(actual),
            _ => normalize_host(&self.host) == normalize_host(&address.host),
        }
    }
}

/// Returns the host or mailbox that a word names, if a person would read the word as an address.
fn shown_address(word: &str, parse: &impl Fn(&str) -> Option<Address>) -> Option<ShownAddress> {
    let word = word.trim_matches(|c| ".:/?#=&~+-_%@".contains(c));
    let (has_scheme, rest) = match word.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, word.strip_prefix("mailto:").unwrap_or(word)),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    // A position in a file, such as `main.c:12:3`, has two numbers.
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    let host = parse(&format!("https://{host}"))?.host;
    if !has_scheme && !is_host_like(&host, authority) {
        return None;
    }
    let mailbox = (!has_scheme && !user.is_empty()).then(|| format!("{user}@{host}"));
    Some(ShownAddress { host, mailbox })
}

/// Reports whether a word without a scheme looks like a host. `host` is the parser's reading of the
/// word. Numbers are not hosts, except for the four numbers of an IPv4 address.
fn is_host_like(host: &str, word: &str) -> bool {
    let mut labels = normalize_host(host).rsplit('.');
    let last = labels.next().unwrap_or_default();
    let is_name =
        last.starts_with("xn--") || (last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    let is_ipv4 = || {
        word.split(':').next().is_some_and(|word| word.split('.').filter(|part| is_number(part)).count() == 4)
    };
    host == "localhost" || host.starts_with('[') || (is_name && labels.next().is_some()) || is_ipv4()
}

/// Returns a host without the parts that make no difference.
fn normalize_host(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_prefix("www.").unwrap_or(host)
}

/// Removes invisible characters, and replaces look-alikes by the characters that they look like.
fn fold_look_alikes(text: &str) -> String {
    text.chars().filter(|&c| !is_invisible(c)).map(fold_char).collect()
}

fn fold_char(c: char) -> char {
    match c {
        '\u{3002}' | '\u{ff61}' | '\u{2024}' => '.',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        // The full-width forms of ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

fn is_look_alike(c: char) -> bool {
    let folded = fold_char(c);
    folded != c && is_address_char(folded)
}

/// Reports whether a character has no width, or changes the direction of writing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
