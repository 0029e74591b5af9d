//! The random choices of an evaluation. None depends on the iteration or the batch size: every evaluation of a run, and
//! every variant with the same seed, translates the same images with the same codes and references.

use candle_core::{Device, Tensor};
use harness_ops::random::Key;

/// At most `wanted` of `available` images of a domain, in ascending order: a subset that depends on the domain alone, so
/// that all runs see the same images.
pub(super) fn subset(purpose: &str, domain: usize, available: usize, wanted: Option<usize>) -> Vec<usize> {
    match wanted {
        Some(wanted) if wanted < available => {
            let mut chosen = Key::new(0, purpose).stream(0, domain as u32).permutation(available);
            chosen.truncate(wanted);
            chosen.sort_unstable();
            chosen
        }
        _ => (0..available).collect(),
    }
}

/// The step of the generator that belongs to a task and an index within it.
fn step(task: usize, index: usize) -> u64 {
    ((task as u64) << 32) | index as u64
}

/// Latent codes of output `output` of the given source images, N×dim, N(0, 1).
pub(super) fn latents(
    seed: u64,
    task: usize,
    output: usize,
    sources: &[usize],
    dim: usize,
    device: &Device,
) -> candle_core::Result<Tensor> {
    let key = Key::new(seed, "evaluation-latent");
    let mut values = Vec::with_capacity(sources.len() * dim);
    for &source in sources {
        let mut stream = key.stream(step(task, output), source as u32);
        values.extend((0..dim).map(|_| stream.normal() as f32));
    }
    Tensor::from_vec(values, (sources.len(), dim), device)
}

/// `count` draws from the `available` reference images of a target domain: one shuffled pass after another, so that
/// references are used equally often and, where there are enough, differ between the outputs of one source. Unlike the
/// official loader, which drops incomplete batches, it also works with fewer images than a batch has.
pub(super) fn references(seed: u64, task: usize, available: usize, count: usize) -> Vec<usize> {
    let key = Key::new(seed, "evaluation-reference");
    let mut draws = Vec::with_capacity(count + available);
    let mut pass = 0;
    while available > 0 && draws.len() < count {
        draws.extend(key.stream(step(task, pass), 0).permutation(available));
        pass += 1;
    }
    draws.truncate(count);
    draws
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets() {
        assert_eq!(subset("test", 0, 3, None), [0, 1, 2]);
        assert_eq!(subset("test", 0, 3, Some(5)), [0, 1, 2]);
        let some = subset("test", 0, 100, Some(10));
        assert!(some.len() == 10 && some.is_sorted() && some[9] > 20, "{some:?}");
        assert_eq!(some, subset("test", 0, 100, Some(10)));
        assert_ne!(some, subset("test", 1, 100, Some(10)));
    }

    #[test]
    fn latents_do_not_depend_on_the_batch() {
        let draw = |task, output, sources: &[usize]| {
            latents(7, task, output, sources, 4, &Device::Cpu).unwrap().to_vec2::<f32>().unwrap()
        };
        let together = draw(1, 2, &[0, 1, 5]);
        assert_eq!(together[2], draw(1, 2, &[5])[0]);
        assert_ne!(together[0], together[1]);
        assert_ne!(together[2], draw(1, 3, &[5])[0]);
        assert_ne!(together[2], draw(0, 2, &[5])[0]);
    }

    #[test]
    fn references_are_used_equally_often() {
        let draws = references(7, 0, 5, 23);
        assert_eq!(draws.len(), 23);
        for pass in draws.chunks_exact(5) {
            let mut pass = pass.to_vec();
            pass.sort_unstable();
            assert_eq!(pass, [0, 1, 2, 3, 4]);
        }
        assert_ne!(draws[..5], draws[5..10]);
        assert_ne!(draws, references(7, 1, 5, 23));
        assert!(references(7, 0, 0, 3).is_empty());
    }
}
