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
///
/// `fid_768` and the like are taken of another layer than the metric is defined on, `…_alexnet` of another network.
pub fn metric_name(name: &str) -> MetricName {
    const KNOWN: [(&str, &str, Better); 9] = [
        ("lpips", "LPIPS", Better::Higher),
        ("fid", "FID", Better::Lower),
        ("fd", "FD", Better::Lower),
        ("kid", "KID", Better::Lower),
        ("kd", "KD", Better::Lower),
        ("precision", "Precision", Better::Higher),
        ("recall", "Recall", Better::Higher),
        ("density", "Density", Better::Higher),
        ("coverage", "Coverage", Better::Higher),
    ];
    const FEATURES: [&str; 4] = ["768", "192", "64", "alexnet"];
    let features = FEATURES.iter().position(|features| name.strip_suffix(features).is_some_and(|n| n.ends_with('_')));
    let stem = features.map_or(name, |at| &name[..name.len() - FEATURES[at].len() - 1]);
    let Some(known) = KNOWN.iter().position(|(known, ..)| *known == stem) else {
        return MetricName { label: name.into(), better: None, order: KNOWN.len() * (FEATURES.len() + 1) };
    };
    let label = match features.map(|at| FEATURES[at]) {
        None => KNOWN[known].1.to_string(),
        Some("alexnet") => format!("{} (AlexNet)", KNOWN[known].1),
        Some(layer) => format!("{}-{layer}", KNOWN[known].1),
    };
    let order = known * (FEATURES.len() + 1) + features.map_or(0, |at| at + 1);
    MetricName { label, better: Some(KNOWN[known].2), order }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_part_of_the_name() {
        let label = |name: &str| metric_name(name).label;
        assert_eq!(label("fid"), "FID");
        assert_eq!(label("fid_768"), "FID-768");
        assert_eq!(label("fd_alexnet"), "FD (AlexNet)");
        assert_eq!(label("precision_64"), "Precision-64");
        assert_eq!(metric_name("kid_192").better, Some(Better::Lower));
        for unknown in ["fid768", "fid_1024", "_768", "perplexity"] {
            assert_eq!((label(unknown).as_str(), metric_name(unknown).better), (unknown, None));
        }
    }

    #[test]
    fn columns_have_an_order() {
        let names = ["lpips", "fid", "fid_768", "fd_alexnet", "kid", "recall_alexnet", "coverage", "unheard of"];
        let orders: Vec<usize> = names.iter().map(|name| metric_name(name).order()).collect();
        assert!(orders.is_sorted() && orders[0] < orders[1] && orders[1] < orders[2], "{orders:?}");
    }
}
