//! Series for curves: smoothing, pooling over seeds, ranges.

/// Points of one run.
pub(crate) type Points = Vec<(f64, f64)>;

/// Moving average over about a fifteenth of the points, centred; towards the ends the window loses what it would
/// reach beyond them. Values that are not finite are skipped.
pub(crate) fn smooth(points: &[(f64, f64)]) -> Points {
    let half = points.len() / 30;
    (0..points.len())
        .map(|at| {
            let window = &points[at.saturating_sub(half)..(at + half + 1).min(points.len())];
            let finite = window.iter().map(|p| p.1).filter(|v| v.is_finite());
            let (sum, count) = finite.fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
            (points[at].0, if count == 0 || !points[at].1.is_finite() { f64::NAN } else { sum / count as f64 })
        })
        .collect()
}

/// Mean and sample standard deviation over runs at the x that all of them have.
pub(crate) fn pool(runs: &[Points]) -> Vec<(f64, f64, f64)> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut pooled = Vec::new();
    for (x, y) in first {
        let mut values = vec![*y];
        for other in others {
            if let Ok(at) = other.binary_search_by(|p| p.0.total_cmp(x)) {
                values.push(other[at].1);
            }
        }
        if values.len() == runs.len() && values.iter().all(|v| v.is_finite()) {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            pooled.push((*x, mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 }));
        }
    }
    pooled
}

/// Quantile of finite values, nearest rank.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    finite.get(((finite.len().max(1) - 1) as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_straight_lines_and_skips_gaps() {
        let mut line: Points = (0..200).map(|i| (f64::from(i), 3.0 * f64::from(i) - 1.0)).collect();
        for (at, ((_, smooth), (_, raw))) in smooth(&line).iter().zip(&line).enumerate() {
            assert!((smooth - raw).abs() < if (6..194).contains(&at) { 1e-9 } else { 9.1 });
        }
        line[100].1 = f64::NAN;
        let gap = smooth(&line);
        assert!(gap[100].1.is_nan() && gap[99].1.is_finite());
    }

    #[test]
    fn pooling_takes_common_points_only() {
        let a = vec![(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)];
        let b = vec![(1.0, 3.0), (3.0, 3.0)];
        assert_eq!(pool(&[a, b]), [(1.0, 2.0, 2f64.sqrt()), (3.0, 3.0, 0.0)]);
    }
}
