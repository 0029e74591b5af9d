//! Random batches.

use crate::experiment::settings::Draws;
use crate::methods::{Batch, References};
use candle_core::{Device, Result, Tensor};
use harness_ops::device::upload;
use harness_ops::random::Key;
use rayon::prelude::*;

/// Images whose values are uniform in [-1, 1], other ones at every iteration. Where domains are mixed, labels are in
/// balance: image i is of domain i mod `domains` and is to become one of the next domain. Otherwise there are `batch`
/// images of every domain.
pub(crate) fn random_batch(
    seed: u64,
    iteration: u64,
    draws: Draws,
    [batch, image_size, domains]: [usize; 3],
    device: &Device,
) -> Result<Batch> {
    let images = |purpose: &str, count: usize| {
        let key = Key::new(seed, purpose);
        let mut values = vec![0f32; count * 3 * image_size * image_size];
        values.par_chunks_mut(3 * image_size * image_size).enumerate().for_each(|(index, image)| {
            let mut stream = key.stream(iteration, index as u32);
            image.iter_mut().for_each(|value| *value = stream.uniform_in(-1.0, 1.0) as f32);
        });
        upload(&Tensor::from_vec(values, (count, 3, image_size, image_size), &Device::Cpu)?, device)
    };
    match draws {
        Draws::Mixed(_) => {
            let labels = |offset: usize| (0..batch).map(|index| ((index + offset) % domains) as u32).collect();
            let (x, x2) = (images("bench-reference", batch)?, images("bench-reference2", batch)?);
            let references = Some(References { x, x2, y: labels(1) });
            Ok(Batch { x_src: images("bench-source", batch)?, y_src: labels(0), references })
        }
        Draws::EveryDomain => {
            let y_src = (0..domains as u32).flat_map(|domain| std::iter::repeat_n(domain, batch)).collect();
            Ok(Batch { x_src: images("bench-source", batch * domains)?, y_src, references: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::settings::Sampling;

    const MIXED: Draws = Draws::Mixed(Sampling::Balanced);

    #[test]
    fn images_fill_the_range_and_labels_are_balanced() {
        let batch = random_batch(1, 0, MIXED, [4, 16, 3], &Device::Cpu).unwrap();
        assert_eq!((batch.y_src, batch.references.unwrap().y), (vec![0, 1, 2, 0], vec![1, 2, 0, 1]));
        let values = batch.x_src.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values.len(), 4 * 3 * 16 * 16);
        let extremes = values.iter().fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
        assert!((-1.0..-0.99).contains(&extremes.0) && (0.99..1.0).contains(&extremes.1), "{extremes:?}");
        let next = random_batch(1, 1, MIXED, [4, 16, 3], &Device::Cpu).unwrap();
        assert_ne!(values, next.x_src.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }

    #[test]
    fn methods_of_two_domains_get_all_domains_in_turn() {
        let batch = random_batch(1, 0, Draws::EveryDomain, [2, 16, 3], &Device::Cpu).unwrap();
        assert_eq!((batch.x_src.dims(), batch.y_src), (&[6, 3, 16, 16][..], vec![0, 0, 1, 1, 2, 2]));
    }
}
