//! Prometheus' text format, version 0.0.4: families of samples with labels. It registers and keeps
//! nothing, because everything is counted elsewhere.

use std::fmt::Write;

use crate::tally::HistogramReport;

/// The type of a family's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The text so far.
#[derive(Default)]
pub(crate) struct Exposition(String);

/// The samples of a family.
pub(crate) struct Samples<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family. Each name is begun once.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Samples<'_> {
        let kind = kind.word();
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Samples { text: &mut self.0, name }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

impl Samples<'_> {
    /// Adds a sample.
    pub(crate) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.part("", labels, value);
    }

    /// Adds a sample without labels, if its value is known.
    pub(crate) fn add_known(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.add(&[], value as f64);
        }
    }

    /// Adds the samples of a histogram whose values are counted in `units` to one of the family's.
    pub(crate) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        report: &HistogramReport,
        units: f64,
    ) {
        let mut within = 0;
        for (bound, count) in report.bounds.iter().zip(&report.counts) {
            within += count;
            self.bucket(labels, &(*bound as f64 / units).to_string(), within);
        }
        let all = report.count();
        self.bucket(labels, "+Inf", all);
        self.part("_sum", labels, report.sum as f64 / units);
        self.part("_count", labels, all as f64);
    }

    fn bucket(&mut self, labels: &[(&str, &str)], bound: &str, within: u64) {
        let mut labels = labels.to_vec();
        labels.push(("le", bound));
        self.part("_bucket", &labels, within as f64);
    }

    fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (at, (name, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{name}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_sums_its_buckets_up() {
        let mut out = Exposition::default();
        let report = HistogramReport { bounds: &[500, 2_000], counts: vec![2, 1, 4], sum: 50_250 };
        out.family("a_seconds", Kind::Histogram, "Help.").histogram(&[("of", "b")], &report, 1e3);
        assert_eq!(
            out.finish(),
            "# HELP a_seconds Help.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{of=\"b\",le=\"0.5\"} 2\na_seconds_bucket{of=\"b\",le=\"2\"} 3\n\
             a_seconds_bucket{of=\"b\",le=\"+Inf\"} 7\na_seconds_sum{of=\"b\"} 50.25\n\
             a_seconds_count{of=\"b\"} 7\n"
        );
    }

    #[test]
    fn samples_stand_behind_their_family_and_labels_are_escaped() {
        let mut out = Exposition::default();
        let mut family = out.family("a_total", Kind::Counter, "Help.");
        family.add(&[], 3.0);
        family.add(&[("of", "a\"b\\c\n"), ("and", "d")], 0.5);
        assert_eq!(
            out.finish(),
            "# HELP a_total Help.\n# TYPE a_total counter\na_total 3\n\
             a_total{of=\"a\\\"b\\\\c\\n\",and=\"d\"} 0.5\n"
        );
    }
}
