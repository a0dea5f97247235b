//! The measured figures, and the ratios between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{noise::Noise, stats::Spread};

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "s/GB")]
    SecondsPerGigabyte,
    #[serde(rename = "per MB")]
    PerMegabyte,
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "KiB")]
    Kibibytes,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "µs")]
    Microseconds,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "%")]
    Percent,
    #[serde(rename = "per s")]
    PerSecond,
    #[serde(rename = "")]
    Count,
}

impl Unit {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::MegabytesPerSecond => "MB/s",
            Self::SecondsPerGigabyte => "s/GB",
            Self::PerMegabyte => "per MB",
            Self::Bytes => "bytes",
            Self::Kibibytes => "KiB",
            Self::Mebibytes => "MiB",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Percent => "%",
            Self::PerSecond => "per s",
            Self::Count => "",
        }
    }
}

/// The scene and the metric of a figure, for example `output lines 1x1` and `rate`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Measure {
    pub(crate) scene: String,
    pub(crate) metric: String,
}

impl Measure {
    pub(crate) fn new(scene: &str, metric: &str) -> Self {
        Self { scene: scene.to_owned(), metric: metric.to_owned() }
    }
}

/// A figure of a server, from all of its runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    #[serde(flatten)]
    pub(crate) measure: Measure,
    pub(crate) server: String,
    pub(crate) unit: Unit,
    #[serde(flatten)]
    pub(crate) spread: Spread,
    /// The values of the runs, in order.
    pub(crate) values: Vec<f64>,
}

/// The ratio of one server's figures to another's, formed pair by pair.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ratio {
    #[serde(flatten)]
    pub(crate) measure: Measure,
    pub(crate) server: String,
    pub(crate) against: String,
    #[serde(flatten)]
    pub(crate) spread: Spread,
}

/// A run that other programs disturbed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disturbed {
    pub(crate) scene: String,
    pub(crate) server: String,
    #[serde(flatten)]
    pub(crate) noise: Noise,
}

/// A run that gave no figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) scene: String,
    pub(crate) server: String,
    pub(crate) why: String,
}

/// The record of all measured values.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// The keys in order of their first value.
    order: Vec<(Measure, String)>,
    values: BTreeMap<(Measure, String), (Unit, Vec<f64>)>,
    pub(crate) runs: usize,
    pub(crate) disturbed: Vec<Disturbed>,
    pub(crate) failed: Vec<Failed>,
}

impl Recorder {
    pub(crate) fn record(&mut self, scene: &str, metric: &str, server: &str, unit: Unit, value: f64) {
        let key = (Measure::new(scene, metric), server.to_owned());
        let entry = self.values.entry(key.clone()).or_insert_with(|| {
            self.order.push(key);
            (unit, Vec::new())
        });
        entry.1.push(value);
    }

    pub(crate) fn record_noise(&mut self, scene: &str, server: &str, noise: Noise) {
        self.runs += 1;
        if noise.is_loud() {
            let (scene, server) = (scene.to_owned(), server.to_owned());
            self.disturbed.push(Disturbed { scene, server, noise });
        }
    }

    pub(crate) fn record_failure(&mut self, scene: &str, server: &str, error: &anyhow::Error) {
        let (scene, server, why) = (scene.to_owned(), server.to_owned(), format!("{error:#}"));
        self.failed.push(Failed { scene, server, why });
    }

    /// Returns the values of a measure, run by run.
    pub(crate) fn values(&self, scene: &str, metric: &str, server: &str) -> &[f64] {
        let key = (Measure::new(scene, metric), server.to_owned());
        self.values.get(&key).map_or(&[], |(_, values)| values)
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figure = |key: &(Measure, String)| {
            let (unit, values) = self.values.get(key)?;
            let (measure, server) = key.clone();
            Some(Figure { measure, server, unit: *unit, spread: Spread::of(values)?, values: values.clone() })
        };
        self.order.iter().filter_map(figure).collect()
    }

    /// Returns the ratios of every server's values to those of each reference server, where both
    /// have equally many.
    pub(crate) fn ratios(&self, references: &[&str]) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        for (measure, server) in &self.order {
            for against in references.iter().filter(|reference| *reference != server) {
                let values = self.values(&measure.scene, &measure.metric, server);
                let theirs = self.values(&measure.scene, &measure.metric, against);
                if values.len() != theirs.len() {
                    continue;
                }
                if let Some(spread) = Spread::of_ratios(values, theirs) {
                    let (measure, server) = (measure.clone(), server.clone());
                    ratios.push(Ratio { measure, server, against: (*against).to_owned(), spread });
                }
            }
        }
        ratios
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_formed_only_where_every_run_has_its_pair() {
        let mut recorder = Recorder::default();
        for value in [2.0, 4.0] {
            recorder.record("scene", "rate", "relay", Unit::Count, value);
            recorder.record("scene", "rate", "limpet", Unit::Count, value / 2.0);
        }
        recorder.record("scene", "alone", "limpet", Unit::Count, 1.0);
        recorder.record("scene", "rate", "peer", Unit::Count, 1.0);
        let ratios = recorder.ratios(&["relay"]);
        assert_eq!(ratios.len(), 1);
        assert_eq!((ratios[0].server.as_str(), ratios[0].spread.median), ("limpet", 0.5));
    }
}
