//! How far between two codes the frames of a video lie (official code, `core/utils.py`, `get_alphas` and `slide`).

/// Frames that show the end of a transition.
const TAIL: usize = 10;

/// Times that the last frame of a video is shown again.
pub(super) const CLOSING: usize = 10;

/// The weights of the second of two codes, and for how many frames each is shown: 0, then sigmoid(x) for x = -5, -4.5,
/// ..., 4.5, then 1 for ten frames.
pub(super) fn alphas() -> Vec<(f64, usize)> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let rising = (0..20).map(|step| (sigmoid(-5.0 + 0.5 * f64::from(step)), 1));
    std::iter::once((0.0, 1)).chain(rising).chain([(1.0, TAIL)]).collect()
}

/// Frames of one transition.
#[cfg(test)]
pub(super) fn frames() -> usize {
    alphas().iter().map(|(_, shown)| shown).sum()
}

/// Row of the window that the upper of two references begins at, `side` being theirs: the window is two of them high,
/// and they move up through it. The rows above stay black.
pub(super) fn window_top(side: u32, alpha: f64) -> u32 {
    (f64::from(side) * (1.0 - alpha)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_curve() {
        let alphas = alphas();
        assert_eq!((alphas.len(), frames()), (22, 31));
        assert_eq!((alphas[0], alphas[21]), ((0.0, 1), (1.0, 10)));
        // numpy: 1 / (1 + exp(5)), 1 / (1 + exp(0)), 1 / (1 + exp(-4.5)).
        for (at, expected) in [(1, 0.006_692_850_924_284_856), (11, 0.5), (20, 0.989_013_057_369_406_8)] {
            assert!((alphas[at].0 - expected).abs() < 1e-15, "{at}: {}", alphas[at].0);
        }
        assert!(alphas.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn the_window_slides_up() {
        assert_eq!([0.0, 0.5, 1.0].map(|alpha| window_top(256, alpha)), [256, 128, 0]);
        // int(256 * (1 - 0.0066928...)) of the official code.
        assert_eq!(window_top(256, alphas()[1].0), 254);
    }
}
