//! Which images make a training batch.

use harness_ops::random::Key;

/// An image of the training split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pick {
    /// Index of the domain.
    pub domain: usize,
    /// Index of the image within it.
    pub index: usize,
}

/// The images of one iteration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picks {
    /// Sources.
    pub sources: Vec<Pick>,
    /// References, whose domains are the targets.
    pub references: Vec<Pick>,
    /// The partner of each reference, of the same domain.
    pub partners: Vec<Pick>,
}

/// Balanced sampling with replacement (official code: weight 1 / size of the image's domain, in two independent
/// loaders): the domain is uniform, the image uniform within it. Each image has one partner in its domain for the
/// whole run, given by a random permutation, so that it may be its own (official code, `ReferenceDataset`).
///
/// Draws are a pure function of (seed, iteration, position in the batch).
#[derive(Debug, Clone)]
pub struct Sampler {
    counts: Vec<usize>,
    partners: Vec<Vec<usize>>,
    source: Key,
    reference: Key,
}

impl Sampler {
    /// A sampler over domains of `counts` images, none of them empty.
    pub fn new(counts: &[usize], seed: u64) -> Self {
        let pairing = Key::new(seed, "data.partner");
        let partners =
            counts.iter().enumerate().map(|(domain, &n)| pairing.stream(0, domain as u32).permutation(n)).collect();
        Sampler {
            counts: counts.to_vec(),
            partners,
            source: Key::new(seed, "data.source"),
            reference: Key::new(seed, "data.reference"),
        }
    }

    /// The images of `iteration`.
    pub fn picks(&self, iteration: u64, batch_size: usize) -> Picks {
        let draw = |key: Key, position: usize| {
            let mut stream = key.stream(iteration, position as u32);
            let domain = stream.below(self.counts.len());
            Pick { domain, index: stream.below(self.counts[domain]) }
        };
        let references: Vec<Pick> = (0..batch_size).map(|i| draw(self.reference, i)).collect();
        Picks {
            sources: (0..batch_size).map(|i| draw(self.source, i)).collect(),
            partners: references
                .iter()
                .map(|pick| Pick { index: self.partners[pick.domain][pick.index], ..*pick })
                .collect(),
            references,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn domains_are_balanced_and_images_uniform() {
        let sampler = Sampler::new(&[10, 1000], 5);
        let picks: Vec<Picks> = (0..2500).map(|i| sampler.picks(i, 8)).collect();
        for list in [|p: &Picks| p.sources.clone(), |p: &Picks| p.references.clone()] {
            let all: Vec<Pick> = picks.iter().flat_map(list).collect();
            let small = all.iter().filter(|p| p.domain == 0).count() as f64 / all.len() as f64;
            assert!((small - 0.5).abs() < 0.02, "{small}");
            for index in 0..10 {
                let share = all.iter().filter(|p| **p == Pick { domain: 0, index }).count() as f64 / all.len() as f64;
                assert!((share - 0.05).abs() < 0.01, "{share}");
            }
        }
        let same = picks.iter().flat_map(|p| p.sources.iter().zip(&p.references)).filter(|(a, b)| a.domain == b.domain);
        let share = same.count() as f64 / 20_000.0;
        assert!((share - 0.5).abs() < 0.02, "source and target domain are independent: {share}");
    }

    #[test]
    fn partners_are_a_fixed_permutation() {
        let sampler = Sampler::new(&[7, 5], 5);
        let mut partner = HashMap::new();
        for iteration in 0..200 {
            let picks = sampler.picks(iteration, 4);
            for (reference, other) in picks.references.iter().zip(&picks.partners) {
                assert_eq!(reference.domain, other.domain);
                assert_eq!(*partner.entry(*reference).or_insert(*other), *other);
            }
        }
        let mut values: Vec<_> = partner.values().map(|p| (p.domain, p.index)).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!((partner.len(), values.len()), (12, 12));
    }

    #[test]
    fn draws_are_a_function_of_seed_and_iteration() {
        let sampler = Sampler::new(&[50, 50, 50], 5);
        assert_eq!(sampler.picks(9, 8), Sampler::new(&[50, 50, 50], 5).picks(9, 8));
        assert_ne!(sampler.picks(9, 8), sampler.picks(10, 8));
        assert_ne!(sampler.picks(9, 8), Sampler::new(&[50, 50, 50], 6).picks(9, 8));
        let (short, long) = (sampler.picks(9, 4), sampler.picks(9, 8));
        assert_eq!(short.sources, long.sources[..4], "a larger batch begins like a smaller one");
    }
}
