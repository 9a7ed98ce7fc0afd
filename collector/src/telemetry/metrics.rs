//! The values behind the table, and their text for a scraper.
//!
//! Label sets are bounded: past 512 of one metric, further ones count under `other`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::table::{Kind, Metric};

/// The most label sets that one metric has.
const LABEL_SETS: usize = 512;

/// Upper ends of the buckets of every duration, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// What is kept for one label set.
#[derive(Clone, Debug)]
pub enum Sample {
    /// A counter's sum.
    Count(u64),
    /// A gauge's value.
    Level(f64),
    /// Observed seconds.
    Seconds(Histogram),
}

/// Values by metric and label values.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<Metric, BTreeMap<Vec<String>, Sample>>);

impl Values {
    /// Adds to a counter.
    pub fn add(&mut self, metric: Metric, labels: &[&str], by: u64) {
        if let Sample::Count(sum) = self.sample(metric, labels) {
            *sum = sum.saturating_add(by);
        }
    }

    /// Adds to a gauge.
    pub fn shift(&mut self, metric: Metric, labels: &[&str], by: f64) {
        if let Sample::Level(level) = self.sample(metric, labels) {
            *level += by;
        }
    }

    /// Sets a gauge.
    pub fn set(&mut self, metric: Metric, labels: &[&str], value: f64) {
        if let Sample::Level(level) = self.sample(metric, labels) {
            *level = value;
        }
    }

    /// Notes a duration.
    pub fn observe(&mut self, metric: Metric, labels: &[&str], seconds: f64) {
        if let Sample::Seconds(histogram) = self.sample(metric, labels) {
            histogram.observe(seconds);
        }
    }

    /// Takes over what somebody else counts in full each time. A counter that has become smaller (what it summed
    /// was forgotten) stays where it was: to a scraper it never falls.
    pub fn take_over(&mut self, heard: Self) {
        for (metric, sets) in heard.0 {
            if metric.kind() == Kind::Counter {
                for (labels, sample) in sets {
                    self.raise(metric, labels, &sample);
                }
            } else {
                self.0.insert(metric, sets);
            }
        }
    }

    fn raise(&mut self, metric: Metric, labels: Vec<String>, heard: &Sample) {
        let kept = self.0.entry(metric).or_default().entry(labels).or_insert(Sample::Count(0));
        if let (Sample::Count(kept), Sample::Count(heard)) = (kept, heard) {
            *kept = (*kept).max(*heard);
        }
    }

    /// The exposition in OpenMetrics text; the content type is [`Values::CONTENT_TYPE`].
    ///
    /// # Errors
    /// When the encoder fails, which writing to memory does not make it do.
    pub fn render(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    /// What [`Values::render`] writes.
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    fn sample(&mut self, metric: Metric, labels: &[&str]) -> &mut Sample {
        debug_assert_eq!(labels.len(), metric.labels().len(), "{}", metric.name());
        let sets = self.0.entry(metric).or_default();
        let full = sets.len() >= LABEL_SETS;
        let key: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let key = if full && !sets.contains_key(&key) { vec!["other".to_owned(); key.len()] } else { key };
        match sets.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(match metric.kind() {
                Kind::Counter => Sample::Count(0),
                Kind::Gauge => Sample::Level(0.0),
                Kind::Histogram => Sample::Seconds(Histogram::new(BUCKETS)),
            }),
        }
    }
}

impl Collector for Values {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (metric, sets) in &self.0 {
            // The encoder appends a counter's suffix itself.
            let name = metric.name().trim_end_matches("_total");
            let kind = match metric.kind() {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(name, metric.help(), None, kind)?;
            if let (true, Some(sample)) = (metric.labels().is_empty(), sets.get(&Vec::new())) {
                encode_sample(family, sample)?;
                continue;
            }
            for (values, sample) in sets {
                let labels: Vec<(&str, &str)> =
                    metric.labels().iter().copied().zip(values.iter().map(String::as_str)).collect();
                encode_sample(family.encode_family(&labels)?, sample)?;
            }
        }
        Ok(())
    }
}

fn encode_sample(mut encoder: MetricEncoder<'_>, sample: &Sample) -> fmt::Result {
    match sample {
        Sample::Count(sum) => encoder.encode_counter::<NoLabelSet, u64, f64>(sum, None),
        Sample::Level(level) => encoder.encode_gauge(level),
        Sample::Seconds(histogram) => histogram.encode(encoder),
    }
}

/// The values that a program keeps, shared by its parts. Meant for cuts and requests, not for every flow.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Values>>);

impl Metrics {
    /// The values, to add to; hold it for no longer than that.
    pub fn lock(&self) -> MutexGuard<'_, Values> {
        // A panic elsewhere leaves sums as true as they were.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy, to which a scrape adds what others count.
    pub fn values(&self) -> Values {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rendered_under_the_names_of_the_table() {
        let metrics = Metrics::default();
        metrics.lock().add(Metric::Datagrams, &["node-a", "netflow"], 2);
        metrics.lock().add(Metric::Datagrams, &["node-a", "netflow"], 3);
        metrics.lock().set(Metric::Profiles, &[], 4.0);
        metrics.lock().observe(Metric::RequestSeconds, &["/x"], 0.002);
        let text = metrics.values().render().unwrap();
        for line in [
            "# HELP weir_datagrams Datagrams, or messages of TCP connections, read by a listener.",
            "# TYPE weir_datagrams counter",
            "weir_datagrams_total{edge=\"node-a\",listener=\"netflow\"} 5",
            "# TYPE weir_profiles gauge",
            "weir_profiles 4.0",
            "weir_http_request_duration_seconds_bucket{le=\"0.0025\",route=\"/x\"} 1",
            "weir_http_request_duration_seconds_count{route=\"/x\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn past_the_bound_label_sets_count_under_other_and_no_sum_is_lost() {
        let mut values = Values::default();
        for n in 0..LABEL_SETS * 2 {
            values.add(Metric::RequestsRefused, &[&n.to_string()], 1);
        }
        let sets = &values.0[&Metric::RequestsRefused];
        assert_eq!(sets.len(), LABEL_SETS + 1);
        let sum = |sample: &Sample| if let Sample::Count(n) = sample { *n } else { 0 };
        assert_eq!(sets.values().map(sum).sum::<u64>(), LABEL_SETS as u64 * 2);
        assert_eq!(sum(&sets[&vec!["other".to_owned()]]), LABEL_SETS as u64);
    }

    #[test]
    fn a_counter_never_falls_and_a_gauge_is_what_was_heard_last() {
        let heard = |records, streams| {
            let mut values = Values::default();
            values.add(Metric::Records, &["a", "b", "ipfix"], records);
            values.set(Metric::Streams, &["a", "b", "ipfix"], streams);
            values
        };
        let mut values = Values::default();
        values.take_over(heard(10, 2.0));
        values.take_over(heard(4, 1.0));
        let text = values.render().unwrap();
        assert!(
            text.contains("weir_records_total{edge=\"a\",source=\"b\",protocol=\"ipfix\"} 10\n"),
            "{text}"
        );
        assert!(text.contains("weir_streams{edge=\"a\",source=\"b\",protocol=\"ipfix\"} 1.0\n"), "{text}");
    }

    #[test]
    fn a_label_value_with_quotes_is_escaped() {
        let mut values = Values::default();
        values.add(Metric::RequestsRefused, &["a\"b\\c\nd"], 1);
        assert!(values.render().unwrap().contains(r#"reason="a\"b\\c\nd""#));
    }
}
