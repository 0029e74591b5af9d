//! Names and directions of metrics.

/// Which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Smaller is better.
    Lower,
    /// Larger is better.
    Higher,
}

impl Better {
    /// The arrow of a column header.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Lower => "↓",
            Self::Higher => "↑",
        }
    }

    /// The words of an axis title.
    pub fn words(self) -> &'static str {
        match self {
            Self::Lower => "lower is better ↓",
            Self::Higher => "higher is better ↑",
        }
    }
}

/// How a metric is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricName {
    /// For people.
    pub label: String,
    /// Direction, if it has one.
    pub better: Option<Better>,
    /// Place among columns.
    order: usize,
}

impl MetricName {
    /// Label and arrow.
    pub fn header(&self) -> String {
        match self.better {
            Some(better) => format!("{} {}", self.label, better.arrow()),
            None => self.label.clone(),
        }
    }

    /// Place among columns; metrics without a place of their own come last, by name.
    pub fn order(&self) -> usize {
        self.order
    }
}

/// How the metric `name` is shown. Unknown metrics keep their name and have no direction.
pub fn metric_name(name: &str) -> MetricName {
    const KNOWN: [(&str, &str, Better); 7] = [
        ("lpips", "LPIPS", Better::Higher),
        ("fid", "FID", Better::Lower),
        ("fid_768", "FID-768", Better::Lower),
        ("fd_alexnet", "FD (AlexNet)", Better::Lower),
        ("kid", "KID", Better::Lower),
        ("precision", "Precision", Better::Higher),
        ("recall", "Recall", Better::Higher),
    ];
    match KNOWN.iter().position(|(known, ..)| *known == name) {
        Some(order) => MetricName { label: KNOWN[order].1.into(), better: Some(KNOWN[order].2), order },
        None => MetricName { label: name.into(), better: None, order: KNOWN.len() },
    }
}

/// Decimals for a column: LPIPS as in the paper, others by the largest magnitude shown.
pub(crate) fn decimals(metric: &str, values: impl IntoIterator<Item = f64>) -> usize {
    let largest = values.into_iter().filter(|v| v.is_finite()).map(f64::abs).fold(0.0, f64::max);
    match largest {
        _ if metric == "lpips" && largest >= 0.01 => 3,
        l if l >= 1000.0 => 0,
        l if l >= 100.0 => 1,
        l if l >= 10.0 => 2,
        l if l >= 1.0 => 3,
        _ => 4,
    }
}
