//! Sums over pairs.

/// Working memory for sums over the pairs of several vectors.
pub(super) struct Sums {
    /// Per element, of the differences from the first vector and of their squares.
    differences: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    pub(super) fn new(len: usize) -> Self {
        Self { differences: vec![0.0; len], squares: vec![0.0; len] }
    }

    /// Σ over all pairs of n vectors of their squared distance, by Σ over i < j of (dᵢ - dⱼ)² = n Σ d² - (Σ d)² with
    /// the differences d from the first vector. The result is at least Σ d², so at most the factor n of double
    /// precision is lost, and equal vectors give 0.
    pub(super) fn squared_distances<'a>(&mut self, first: &[f32], others: impl Iterator<Item = &'a [f32]>) -> f64 {
        let Self { differences, squares } = self;
        differences.fill(0.0);
        squares.fill(0.0);
        let mut n = 1.0;
        for other in others {
            for (((sum, square), &x), &origin) in differences.iter_mut().zip(&mut *squares).zip(other).zip(first) {
                let difference = f64::from(x) - f64::from(origin);
                *sum += difference;
                *square += difference * difference;
            }
            n += 1.0;
        }
        differences.iter().zip(squares).map(|(sum, square)| n * *square - sum * sum).sum()
    }
}
