//! The path below which everything is served.

use std::{fmt, str::FromStr};

/// A path that begins and ends with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePath(String);

/// The error for a text that is not a base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a base path consists of letters, digits, '-', '.', '_' and '~' between slashes, as in /tools/shell")]
pub struct BasePathError;

impl BasePath {
    /// Returns the path with both slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part of `path` below the base, with a leading slash.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.0[..self.0.len() - 1]).filter(|rest| rest.starts_with('/'))
    }

    /// Reports whether `path` is the base without its trailing slash.
    #[must_use]
    pub fn lacks_slash(&self, path: &str) -> bool {
        !path.is_empty() && self.0.strip_suffix('/') == Some(path)
    }
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, BasePathError> {
        let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let plain = |segment: &&str| segment.chars().all(legal) && !segment.chars().all(|c| c == '.');
        if !segments.iter().all(plain) {
            return Err(BasePathError);
        }
        let joined = segments.iter().flat_map(|segment| ["/", segment]).collect::<String>();
        Ok(Self(joined + "/"))
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BasePath {
        text.parse().unwrap()
    }

    #[test]
    fn however_it_is_written_it_has_both_slashes() {
        for (text, expected) in
            [("", "/"), ("/", "/"), ("a", "/a/"), ("/a", "/a/"), ("a/b/", "/a/b/"), ("//a", "/a/")]
        {
            assert_eq!(base(text).as_str(), expected);
        }
    }

    #[test]
    fn what_would_need_escaping_is_refused() {
        for text in ["/a b", "/a?b", "/..", "/a/./b", "/ä", "/a\"b"] {
            assert_eq!(text.parse::<BasePath>(), Err(BasePathError), "{text}");
        }
    }

    #[test]
    fn what_is_below_is_told_from_what_is_beside() {
        assert_eq!(base("/").strip("/api/health"), Some("/api/health"));
        assert_eq!(base("/a").strip("/a/api"), Some("/api"));
        assert_eq!(base("/a").strip("/ab"), None);
        assert_eq!(base("/a").strip("/a"), None);
        assert!(base("/a").lacks_slash("/a"));
        assert!(!base("/").lacks_slash(""));
    }
}
