//! Which images make a training batch.

use crate::experiment::settings::{Draws, Sampling};
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

/// Draws the images of an iteration.
///
/// Balanced sampling is with replacement (official code: weight 1 / size of the image's domain, in two independent
/// loaders): the domain is uniform, the image uniform within it. References are always drawn so, and each has one
/// partner in its domain for the whole run, given by a random permutation, so that it may be its own (official code,
/// `ReferenceDataset`). A shuffled pass takes each of its images once, then the next pass begins in another order.
///
/// Draws are a pure function of (seed, iteration, position in the batch); those of shuffled passes also of the batch
/// size, which decides how far the passes are.
#[derive(Debug, Clone)]
pub struct Sampler {
    draws: Draws,
    counts: Vec<usize>,
    partners: Vec<Vec<usize>>,
    source: Key,
    reference: Key,
    pass: Key,
}

impl Sampler {
    /// A sampler over domains of `counts` images, none of them empty.
    pub fn new(counts: &[usize], seed: u64, draws: Draws) -> Self {
        let pairing = Key::new(seed, "data.partner");
        let partners =
            counts.iter().enumerate().map(|(domain, &n)| pairing.stream(0, domain as u32).permutation(n)).collect();
        Sampler {
            draws,
            counts: counts.to_vec(),
            partners,
            source: Key::new(seed, "data.source"),
            reference: Key::new(seed, "data.reference"),
            pass: Key::new(seed, "data.pass"),
        }
    }

    /// The images of `iteration`: `batch_size` of them, or of every domain.
    pub fn picks(&self, iteration: u64, batch_size: usize) -> Picks {
        let draw = |key: Key, position: usize| {
            let mut stream = key.stream(iteration, position as u32);
            let domain = stream.below(self.counts.len());
            Pick { domain, index: stream.below(self.counts[domain]) }
        };
        let balanced = |key: Key| (0..batch_size).map(|i| draw(key, i)).collect::<Vec<_>>();
        let sources = match self.draws {
            Draws::Mixed(Sampling::Balanced) => balanced(self.source),
            Draws::Mixed(Sampling::Shuffled) => {
                let all = self.counts.iter().sum();
                self.in_passes(all, self.counts.len(), iteration, batch_size).map(|index| self.locate(index)).collect()
            }
            Draws::EveryDomain => {
                let of = |(domain, &n): (usize, &usize)| {
                    self.in_passes(n, domain, iteration, batch_size).map(move |index| Pick { domain, index })
                };
                self.counts.iter().enumerate().flat_map(of).collect()
            }
        };
        let references = match self.draws {
            Draws::Mixed(_) => balanced(self.reference),
            Draws::EveryDomain => Vec::new(),
        };
        Picks {
            sources,
            partners: references
                .iter()
                .map(|pick| Pick { index: self.partners[pick.domain][pick.index], ..*pick })
                .collect(),
            references,
        }
    }

    /// The next `batch_size` of `n` images after `iteration` batches, in shuffled passes; `which` names the passes.
    fn in_passes(&self, n: usize, which: usize, iteration: u64, batch_size: usize) -> impl Iterator<Item = usize> {
        let first = iteration * batch_size as u64;
        let (key, length) = (self.pass, n as u64);
        let mut current: Option<(u64, Vec<usize>)> = None;
        (first..first + batch_size as u64).map(move |position| {
            let pass = position / length;
            if current.as_ref().is_none_or(|(held, _)| *held != pass) {
                current = None;
            }
            let (_, order) = current.get_or_insert_with(|| (pass, key.stream(pass, which as u32).permutation(n)));
            order[(position % length) as usize]
        })
    }

    /// The image at `index` among those of all domains.
    fn locate(&self, mut index: usize) -> Pick {
        let mut domain = 0;
        while index >= self.counts[domain] {
            index -= self.counts[domain];
            domain += 1;
        }
        Pick { domain, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const BALANCED: Draws = Draws::Mixed(Sampling::Balanced);

    #[test]
    fn domains_are_balanced_and_images_uniform() {
        let sampler = Sampler::new(&[10, 1000], 5, BALANCED);
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
        let sampler = Sampler::new(&[7, 5], 5, BALANCED);
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
        let sampler = Sampler::new(&[50, 50, 50], 5, BALANCED);
        assert_eq!(sampler.picks(9, 8), Sampler::new(&[50, 50, 50], 5, BALANCED).picks(9, 8));
        assert_ne!(sampler.picks(9, 8), sampler.picks(10, 8));
        assert_ne!(sampler.picks(9, 8), Sampler::new(&[50, 50, 50], 6, BALANCED).picks(9, 8));
        let (short, long) = (sampler.picks(9, 4), sampler.picks(9, 8));
        assert_eq!(short.sources, long.sources[..4], "a larger batch begins like a smaller one");
    }

    #[test]
    fn passes_take_each_image_once() {
        let shuffled = Sampler::new(&[3, 4], 5, Draws::Mixed(Sampling::Shuffled));
        let picks: Vec<Pick> = (0..7).flat_map(|i| shuffled.picks(i, 3).sources).collect();
        for pass in picks.chunks_exact(7) {
            let mut pass: Vec<_> = pass.iter().map(|pick| (pick.domain, pick.index)).collect();
            pass.sort_unstable();
            assert_eq!(pass, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]);
        }
        assert_ne!(picks[..7], picks[7..14], "another order");
        assert_eq!(shuffled.picks(0, 3).references.len(), 3);

        let every = Sampler::new(&[3, 4], 5, Draws::EveryDomain);
        let picks: Vec<Picks> = (0..6).map(|i| every.picks(i, 2)).collect();
        assert!(picks.iter().all(|p| p.references.is_empty() && p.partners.is_empty()));
        let domains = |p: &Picks| p.sources.iter().map(|pick| pick.domain).collect::<Vec<_>>();
        assert!(picks.iter().all(|p| domains(p) == [0, 0, 1, 1]));
        for (domain, n) in [(0, 3), (1, 4)] {
            let all: Vec<usize> =
                picks.iter().flat_map(|p| &p.sources).filter(|p| p.domain == domain).map(|p| p.index).collect();
            for pass in all.chunks_exact(n) {
                let mut pass = pass.to_vec();
                pass.sort_unstable();
                assert_eq!(pass, (0..n).collect::<Vec<_>>());
            }
        }
    }
}
