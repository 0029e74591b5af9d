//! Feature maps of a batch of images, and the batches themselves.

use crate::Result;
use candle_core::{Device, Storage, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Channels of some images in memory, count×channels×height×width in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Maps {
    pub(crate) count: usize,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) data: Vec<f32>,
}

impl Maps {
    /// Copies a tensor of four axes from any device.
    pub(crate) fn of(tensor: &Tensor) -> Result<Self> {
        let (count, channels, height, width) = tensor.dims4()?;
        Ok(Self { count, channels, height, width, data: tensor.flatten_all()?.to_vec1()? })
    }

    /// Positions per channel.
    pub(crate) fn area(&self) -> usize {
        self.height * self.width
    }

    /// Numbers per image.
    pub(crate) fn image_len(&self) -> usize {
        self.channels * self.area()
    }

    /// Image `index`, channels×height×width.
    pub(crate) fn image(&self, index: usize) -> &[f32] {
        &self.data[index * self.image_len()..][..self.image_len()]
    }
}

/// Mean of every channel over space, count×channels, of count×channels×height×width.
pub(crate) fn spatial_mean(maps: &Tensor) -> Result<Vec<f32>> {
    let (_, _, height, width) = maps.dims4()?;
    let area = height * width;
    let means = |values: &[f32]| {
        let mean = |channel: &[f32]| (channel.iter().map(|&x| f64::from(x)).sum::<f64>() / area as f64) as f32;
        values.chunks_exact(area).map(mean).collect()
    };
    let (storage, layout) = maps.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((start, end))) => Ok(means(&storage.as_slice::<f32>()?[start..end])),
        _ => Ok(means(&maps.flatten_all()?.to_vec1::<f32>()?)),
    }
}

/// Runs `work` on ranges that make up `0..count`, of at most `most` each, and joins the results in order: on the processor
/// as many at a time as there are threads, on another device one after another.
pub(crate) fn over_groups<T: Send>(
    device: &Device,
    count: usize,
    most: usize,
    work: impl Fn(Range<usize>) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let parts: Vec<Vec<T>> = if device.is_cpu() {
        groups(count, most).into_par_iter().map(&work).collect::<Result<_>>()?
    } else {
        (0..count)
            .step_by(most.max(1))
            .map(|first| work(first..count.min(first + most.max(1))))
            .collect::<Result<_>>()?
    };
    Ok(parts.into_iter().flatten().collect())
}

/// Cuts `0..count` into ranges of at most `most`, as equal as possible, and into one for every thread where there are
/// enough. Features of an image do not depend on the images beside it, so neither do results on the cuts.
fn groups(count: usize, most: usize) -> Vec<Range<usize>> {
    cut(count, count.div_ceil(most.max(1)).max(rayon::current_num_threads().min(count)))
}

/// Cuts `0..count` into ranges of at most `most`, as equal as possible: a device then sees few different sizes.
pub(crate) fn even_groups(count: usize, most: usize) -> Vec<Range<usize>> {
    cut(count, count.div_ceil(most.max(1)))
}

fn cut(count: usize, groups: usize) -> Vec<Range<usize>> {
    (0..groups).map(|group| count * group / groups..count * (group + 1) / groups).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_channels() {
        let tensor = Tensor::new(&[1.0f32, 2.0, 3.0, 6.0, -1.0, 0.0], &Device::Cpu).unwrap();
        let maps = tensor.reshape((1, 3, 1, 2)).unwrap();
        assert_eq!(spatial_mean(&maps).unwrap(), [1.5, 4.5, -0.5]);
        assert_eq!(spatial_mean(&maps.narrow(3, 1, 1).unwrap()).unwrap(), [2.0, 6.0, 0.0]);
    }

    #[test]
    fn groups_cover_everything_once() {
        for (count, most) in [(0, 4), (1, 4), (9, 4), (100, 7), (5, 0)] {
            let groups = groups(count, most);
            assert!(groups.iter().all(|group| (1..=most.max(1)).contains(&group.len())), "{groups:?}");
            assert_eq!(groups.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}
