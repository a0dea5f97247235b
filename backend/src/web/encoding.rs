//! Negotiates the encoding of a file (RFC 9110, 12.5.3).

/// An encoding in which files are stored besides the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// Returns the name in headers.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the suffix that is added to the file's name.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// Returns the encodings that an `Accept-Encoding` header allows, the preferred ones first, and the
/// smaller one first if both are equally preferred.
pub(super) fn accepted(header: &str) -> impl Iterator<Item = Encoding> {
    let mut encodings = [Encoding::Brotli, Encoding::Gzip].map(|one| (weight(header, one.name()), one));
    encodings.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    encodings.into_iter().filter(|(weight, _)| *weight > 0.0).map(|(_, encoding)| encoding)
}

fn weight(header: &str, name: &str) -> f32 {
    let entries = header.split(',').map(|entry| {
        let (coding, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        (coding.trim(), weight)
    });
    let of = |wanted: &str| {
        entries.clone().find(|(coding, _)| coding.eq_ignore_ascii_case(wanted)).map(|(_, weight)| weight)
    };
    of(name).or_else(|| of("*")).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_what_it_accepts() {
        use Encoding::{Brotli, Gzip};
        for (header, expected) in [
            ("", &[][..]),
            ("gzip, deflate, br, zstd", &[Brotli, Gzip]),
            ("GZIP", &[Gzip]),
            ("br;q=0, gzip", &[Gzip]),
            ("br; q=0.5", &[Brotli]),
            ("br;q=0.5, gzip;q=0.8", &[Gzip, Brotli]),
            ("*", &[Brotli, Gzip]),
            ("*;q=0, br", &[Brotli]),
            ("identity", &[]),
            ("br;q=nonsense", &[]),
        ] {
            assert_eq!(accepted(header).collect::<Vec<_>>(), expected, "{header}");
        }
    }
}
