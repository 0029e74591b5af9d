//! Filters, and which input positions make up an output position.

/// Interpolation filter, named as in Pillow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filter {
    /// Triangle of radius 1.
    Bilinear,
    /// Cubic convolution with a = −0.5, radius 2.
    Bicubic,
    /// Windowed sinc of radius 3.
    Lanczos,
}

impl Filter {
    fn radius(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            Filter::Bilinear => (1.0 - distance).max(0.0),
            Filter::Bicubic => {
                const A: f64 = -0.5;
                if distance < 1.0 {
                    ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
                } else if distance < 2.0 {
                    (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
                } else {
                    0.0
                }
            }
            // The half-open interval is Pillow's.
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// The input positions that one output position is made of, with their weights, whose sum is 1.
pub(crate) struct Taps<W> {
    pub first: usize,
    pub weights: Vec<W>,
}

/// Taps of every output position along one axis; weights are passed through `convert`.
pub(crate) fn taps<W>(input: usize, output: usize, filter: Filter, convert: impl Fn(f64) -> W) -> Vec<Taps<W>> {
    let scale = input as f64 / output as f64;
    let stretch = scale.max(1.0);
    let support = filter.radius() * stretch;
    let shrink = 1.0 / stretch;
    (0..output)
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            // Float-to-integer casts truncate like C's; a negative bound saturates to 0, which is Pillow's clamp.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let weights: Vec<f64> = (first..end).map(|x| filter.weight((x as f64 - centre + 0.5) * shrink)).collect();
            let total = weights.iter().fold(0.0, |sum, w| sum + w);
            let divisor = if total == 0.0 { 1.0 } else { total };
            Taps { first, weights: weights.into_iter().map(|w| convert(w / divisor)).collect() }
        })
        .collect()
}
