//! Random batches.

use crate::methods::Batch;
use candle_core::{Device, Result, Tensor};
use harness_ops::random::Key;

/// Images whose values are uniform in [-1, 1], other ones at every iteration, and labels in balance: image i is of
/// domain i mod `domains` and is to become one of the next domain.
pub(super) fn random_batch(
    seed: u64,
    iteration: u64,
    [batch, image_size, domains]: [usize; 3],
    device: &Device,
) -> Result<Batch> {
    let images = |purpose: &str| {
        let key = Key::new(seed, purpose);
        let mut values = Vec::with_capacity(batch * 3 * image_size * image_size);
        for index in 0..batch {
            let mut stream = key.stream(iteration, index as u32);
            values.extend((0..3 * image_size * image_size).map(|_| stream.uniform_in(-1.0, 1.0) as f32));
        }
        Tensor::from_vec(values, (batch, 3, image_size, image_size), device)
    };
    let labels = |offset: usize| (0..batch).map(|index| ((index + offset) % domains) as u32).collect();
    Ok(Batch {
        x_src: images("bench-source")?,
        y_src: labels(0),
        x_ref: images("bench-reference")?,
        x_ref2: images("bench-reference2")?,
        y_ref: labels(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_fill_the_range_and_labels_are_balanced() {
        let batch = random_batch(1, 0, [4, 16, 3], &Device::Cpu).unwrap();
        assert_eq!((batch.y_src, batch.y_ref), (vec![0, 1, 2, 0], vec![1, 2, 0, 1]));
        let values = batch.x_src.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values.len(), 4 * 3 * 16 * 16);
        let extremes = values.iter().fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
        assert!((-1.0..-0.99).contains(&extremes.0) && (0.99..1.0).contains(&extremes.1), "{extremes:?}");
        let next = random_batch(1, 1, [4, 16, 3], &Device::Cpu).unwrap();
        assert_ne!(values, next.x_src.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
}
