//! The order of the tabs as the browser stores it. The sessions themselves come from the server.

use serde::{Deserialize, Serialize};

use super::TabKind;
use crate::json;

/// The tabs, their order, and the active one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrangement {
    /// The tabs in their order.
    pub order: Vec<TabKind>,
    /// The tab that was active.
    pub active: Option<TabKind>,
}

impl Arrangement {
    /// Parses the output of [`Self::to_json`]. Anything else gives an empty arrangement.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        json::read(text).unwrap_or_default()
    }

    /// Returns the arrangement as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // An arrangement contains only strings, so this never fails.
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
