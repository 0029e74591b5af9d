//! Where labels go so that they cover neither each other nor a point.

use super::panel::Rect;

/// Left, top, right, bottom.
pub(crate) type Bounds = [f64; 4];

/// A label's place and whether it is so far off that it wants a line to its point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub bounds: Bounds,
    pub leader: bool,
}

/// Places a label of each size near its point, inside `area`. Points and labels are tried nearest place first; the
/// search widens until a free place is found, and takes the least covered one if there is none.
pub(crate) fn place_labels(points: &[(f64, f64)], sizes: &[(f64, f64)], radius: f64, area: Rect) -> Vec<Place> {
    let mut taken: Vec<Bounds> = points.iter().map(|(x, y)| [x - radius, y - radius, x + radius, y + radius]).collect();
    let mut places = Vec::new();
    for (point, size) in points.iter().zip(sizes) {
        let mut best: Option<(f64, Place)> = None;
        'search: for ring in 0..14 {
            let gap = radius + 3.0 + 9.0 * f64::from(ring);
            for step in 0..16 {
                // Right first, then the diagonals around it: the order in which people expect labels.
                let turn = [0, 1, 15, 2, 14, 8, 7, 9, 4, 12, 3, 13, 5, 11, 6, 10][step];
                let angle = std::f64::consts::TAU * f64::from(turn) / 16.0;
                let (dx, dy) = (angle.cos(), -angle.sin());
                let center = (point.0 + dx * (gap + size.0 / 2.0), point.1 + dy * (gap + size.1 / 2.0));
                let bounds = [
                    center.0 - size.0 / 2.0,
                    center.1 - size.1 / 2.0,
                    center.0 + size.0 / 2.0,
                    center.1 + size.1 / 2.0,
                ];
                if bounds[0] < area.left || bounds[1] < area.top || bounds[2] > area.right || bounds[3] > area.bottom {
                    continue;
                }
                let covered: f64 = taken.iter().map(|other| overlap(&bounds, other)).sum();
                let place = Place { bounds, leader: ring > 0 };
                if covered == 0.0 {
                    best = Some((0.0, place));
                    break 'search;
                }
                if best.is_none_or(|(least, _)| covered < least) {
                    best = Some((covered, place));
                }
            }
        }
        let fallback = Place { bounds: [point.0, point.1, point.0 + size.0, point.1 + size.1], leader: false };
        let place = best.map_or(fallback, |(_, place)| place);
        taken.push(place.bounds);
        places.push(place);
    }
    places
}

/// Area that two boxes share, with a margin of two pixels around.
fn overlap(a: &Bounds, b: &Bounds) -> f64 {
    let width = (a[2].min(b[2]) - a[0].max(b[0]) + 2.0).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1]) + 2.0).max(0.0);
    width * height
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A dozen labels always find room, even if all points coincide in a corner.
        #[test]
        fn labels_never_touch(points in prop::collection::vec((20.0..580.0f64, 20.0..380.0f64), 1..12), same: bool) {
            let points: Vec<_> = if same { vec![points[0]; points.len()] } else { points };
            let sizes: Vec<_> = (0..points.len()).map(|i| (40.0 + 6.0 * (i % 5) as f64, 14.0)).collect();
            let area = Rect { left: 0.0, top: 0.0, right: 600.0, bottom: 400.0 };
            let places = place_labels(&points, &sizes, 5.0, area);
            for (i, a) in places.iter().enumerate() {
                prop_assert!(a.bounds[0] >= 0.0 && a.bounds[2] <= 600.0 && a.bounds[1] >= 0.0 && a.bounds[3] <= 400.0);
                for b in &places[..i] {
                    prop_assert_eq!(overlap(&a.bounds, &b.bounds), 0.0);
                }
            }
        }
    }
}
