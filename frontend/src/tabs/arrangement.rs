//! The order of tabs as a browser remembers it; the sessions themselves come from the server.

use serde::{Deserialize, Serialize};

use super::TabKind;
use crate::json;

/// Which tabs there were, in which order, and which one was shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrangement {
    /// The tabs in their order.
    pub order: Vec<TabKind>,
    /// The one that was shown.
    pub active: Option<TabKind>,
}

impl Arrangement {
    /// Reads what [`Self::to_json`] wrote; anything else is no arrangement at all.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        json::read(text).unwrap_or_default()
    }

    /// The arrangement as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only strings are in it, so it is always JSON.
        json::write(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrangement_survives_being_stored() {
        let tab = TabKind::Terminal("a".parse().expect("an id"));
        let arrangement = Arrangement { order: vec![tab.clone()], active: Some(tab) };
        assert_eq!(Arrangement::parse(&arrangement.to_json()), arrangement);
    }

    #[test]
    fn what_cannot_be_read_is_forgotten() {
        for text in ["", "[]", r#"{"order":[{"terminal":"not an id!"}],"active":null}"#] {
            assert_eq!(Arrangement::parse(text), Arrangement::default(), "{text}");
        }
    }
}
