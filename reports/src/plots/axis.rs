//! Axes: range, scale, ticks.

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Smallest value shown.
    pub low: f64,
    /// Largest value shown.
    pub high: f64,
    /// Whether it is logarithmic.
    pub log: bool,
    /// Labelled values, ascending.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis that shows `low..=high`, with about `count` ticks.
    pub fn linear(low: f64, high: f64, count: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = nice_step((high - low) / count.max(1) as f64);
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|k| k as f64 * step).map(|value| (value, tick_label(value, step))).collect();
        Self { low, high, log: false, ticks }
    }

    /// A logarithmic axis that shows `low..=high`, both positive: decades, and 2 and 5 between them where few
    /// decades are shown.
    pub fn logarithmic(low: f64, high: f64) -> Self {
        let (low, high) = if high / low < 1.2 { (low / 1.1, high * 1.1) } else { (low, high) };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let decades = (high / low).log10();
        let every = (decades / 6.0).ceil().max(1.0) as i32;
        let factors: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for exponent in (first..=last).filter(|exponent| exponent % every == 0) {
            for factor in factors {
                let value = factor * 10f64.powi(exponent);
                if value >= low * 0.999 && value <= high * 1.001 {
                    ticks.push((value, tick_label(value, value)));
                }
            }
        }
        Self { low, high, log: true, ticks }
    }

    /// Place of a value between 0 (low) and 1 (high); outside values lie outside.
    pub fn share(&self, value: f64) -> f64 {
        if self.log {
            (value.max(f64::MIN_POSITIVE).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

/// Gives an empty range some width.
fn widened(low: f64, high: f64) -> (f64, f64) {
    if high > low && (high - low) > 1e-12 * high.abs().max(low.abs()) {
        (low, high)
    } else {
        let margin = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
        (low - margin, low + margin)
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let fraction = raw / power;
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|f| fraction <= f * 1.0001).unwrap_or(10.0);
    factor * power
}

/// A tick with just the decimals its step needs; thousands as `k`, millions as `M`.
fn tick_label(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs();
    let (scaled, step, unit) = match magnitude {
        m if !(1e-4..1e15).contains(&m) => return format!("{value:.0e}"),
        m if m >= 1e6 => (value / 1e6, step / 1e6, "M"),
        m if m >= 1e4 => (value / 1e3, step / 1e3, "k"),
        _ => (value, step, ""),
    };
    let mut decimals = 0;
    while decimals < 8 && ((step * 10f64.powi(decimals)).fract() - 0.5).abs() < 0.5 - 1e-6 {
        decimals += 1;
    }
    let text = format!("{scaled:.*}", decimals as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text };
    // A typographic minus is as wide as the digits.
    format!("{}{unit}", text.replace('-', "−"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(labels(&Axis::linear(0.0, 0.452, 5)), ["0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(labels(&Axis::linear(0.0, 100_000.0, 5)), ["0", "20k", "40k", "60k", "80k", "100k"]);
        assert_eq!(labels(&Axis::linear(-1.3, 1.1, 5)), ["−1", "−0.5", "0", "0.5", "1"]);
        assert_eq!(labels(&Axis::linear(0.0, 10.0, 4)), ["0", "2.5", "5", "7.5", "10"]);
        assert_eq!(labels(&Axis::logarithmic(0.01, 300.0)), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(&Axis::logarithmic(9.0, 120.0)), ["10", "20", "50", "100"]);
    }

    #[test]
    fn an_empty_range_is_widened() {
        for value in [0.0, 1e-9, 7.0, -3.0, 1e12] {
            let axis = Axis::linear(value, value, 4);
            assert!(axis.low < value && value < axis.high && !axis.ticks.is_empty(), "{axis:?}");
        }
    }
}
