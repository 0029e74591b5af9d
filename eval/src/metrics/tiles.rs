//! Pairs of feature vectors, a tile at a time.

use super::FeatureSet;
use crate::{Error, Result};
use harness_linalg::cross_products;
use rayon::prelude::*;
use std::ops::Range;

/// Rows and columns of a tile. A constant: the order of summation must not depend on the machine.
const SIDE: usize = 256;

/// Tiles in memory at a time.
const WAVE: usize = 64;

/// The scalar products of some vectors of one set (rows) with some of another (columns).
pub(super) struct Tile {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// rows×columns.
    products: Vec<f64>,
    row_norms: Vec<f64>,
    column_norms: Vec<f64>,
}

impl Tile {
    /// The scalar products of row `i` of the tile with all its columns.
    pub fn products(&self, i: usize) -> &[f64] {
        &self.products[i * self.columns.len()..][..self.columns.len()]
    }

    /// The squared distances of row `i` of the tile from all its columns; rounding leaves none below 0.
    pub fn squared_distances(&self, i: usize) -> impl Iterator<Item = f64> {
        let norm = self.row_norms[i];
        self.products(i).iter().zip(&self.column_norms).map(move |(p, other)| (norm + other - 2.0 * p).max(0.0))
    }
}

/// Sends every pair of a vector of `a` and one of `b`, both less `origin`, through `map`, and its results in a fixed
/// order through `merge`. Memory: some tiles, never all pairs.
pub(super) fn across<T: Send>(
    a: &FeatureSet,
    b: &FeatureSet,
    origin: &[f64],
    map: impl Fn(&Tile) -> T + Sync,
    merge: impl FnMut(T),
) -> Result<()> {
    if a.dimension() != b.dimension() {
        return Err(Error::DimensionMismatch { left: a.dimension(), right: b.dimension() });
    }
    let columns = blocks(b.count());
    let pairs = blocks(a.count()).into_iter().flat_map(|i| columns.iter().map(move |j| (i.clone(), j.clone())));
    run(a, b, origin, pairs.collect(), map, merge)
}

/// As [`across`] for the pairs within one set: tiles on and above the diagonal. A tile on the diagonal has equal rows
/// and columns, and holds its pairs twice and each vector with itself.
pub(super) fn within<T: Send>(
    a: &FeatureSet,
    origin: &[f64],
    map: impl Fn(&Tile) -> T + Sync,
    merge: impl FnMut(T),
) -> Result<()> {
    let blocks = blocks(a.count());
    let pairs = blocks.iter().enumerate().flat_map(|(at, i)| blocks[at..].iter().map(move |j| (i.clone(), j.clone())));
    run(a, a, origin, pairs.collect(), map, merge)
}

fn blocks(n: usize) -> Vec<Range<usize>> {
    (0..n).step_by(SIDE).map(|start| start..(start + SIDE).min(n)).collect()
}

fn run<T: Send>(
    a: &FeatureSet,
    b: &FeatureSet,
    origin: &[f64],
    pairs: Vec<(Range<usize>, Range<usize>)>,
    map: impl Fn(&Tile) -> T + Sync,
    mut merge: impl FnMut(T),
) -> Result<()> {
    let d = a.dimension();
    let norms =
        |rows: &[f64]| -> Vec<f64> { rows.chunks_exact(d).map(|row| row.iter().map(|x| x * x).sum()).collect() };
    let tile = |(rows, columns): &(Range<usize>, Range<usize>)| -> Result<T> {
        let (left, right) = (a.centred(rows.clone(), origin), b.centred(columns.clone(), origin));
        let products = cross_products(&left, &right, rows.len(), d, columns.len())?;
        let (row_norms, column_norms) = (norms(&left), norms(&right));
        Ok(map(&Tile { rows: rows.clone(), columns: columns.clone(), products, row_norms, column_norms }))
    };
    for wave in pairs.chunks(WAVE) {
        let results: Vec<Result<T>> = wave.par_iter().map(tile).collect();
        for result in results {
            merge(result?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::features::tests::normal_features;

    fn distance(a: &FeatureSet, i: usize, b: &FeatureSet, j: usize) -> f64 {
        let d = a.dimension();
        let pairs = a.rows()[i * d..][..d].iter().zip(&b.rows()[j * d..][..d]);
        pairs.map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
    }

    /// Every pair once, or twice and the diagonal on diagonal tiles, at sizes that no tile divides.
    #[test]
    fn every_pair_is_met() {
        let (a, b) = (normal_features(SIDE + 3, 4, 1, 1.0, 0.0), normal_features(2 * SIDE + 1, 4, 2, 1.0, 0.5));
        let origin = [0.1, 0.2, 0.3, 0.4];
        let collect = |tile: &Tile| -> Vec<(usize, usize, f64)> {
            let row = |i: usize| {
                let (row, columns) = (tile.rows.start + i, tile.columns.clone());
                tile.squared_distances(i).zip(columns).map(move |(distance, column)| (row, column, distance))
            };
            (0..tile.rows.len()).flat_map(row).collect()
        };
        let mut seen = vec![0; a.count() * b.count()];
        across(&a, &b, &origin, collect, |pairs| {
            for (i, j, found) in pairs {
                seen[i * b.count() + j] += 1;
                assert!((found - distance(&a, i, &b, j)).abs() < 1e-12);
            }
        })
        .unwrap();
        assert!(seen.iter().all(|&times| times == 1));
        let mut seen = vec![0; b.count() * b.count()];
        within(&b, &origin, collect, |pairs| {
            for (i, j, found) in pairs {
                seen[i * b.count() + j] += 1;
                assert!((found - distance(&b, i, &b, j)).abs() < 1e-12);
            }
        })
        .unwrap();
        for i in 0..b.count() {
            for j in 0..b.count() {
                assert_eq!(seen[i * b.count() + j], usize::from(i / SIDE <= j / SIDE));
            }
        }
    }
}
