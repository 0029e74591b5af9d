//! Feature maps of a batch of images.

use std::ops::Range;

/// Channels of some images, count×channels×height×width in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Maps {
    pub(crate) count: usize,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) data: Vec<f32>,
}

impl Maps {
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

    /// The channels of several maps of the same images and size, one after another.
    pub(crate) fn concat(parts: &[Maps]) -> Maps {
        let Maps { count, height, width, .. } = parts[0];
        debug_assert!(parts.iter().all(|part| (part.count, part.height, part.width) == (count, height, width)));
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.data.len()).sum());
        for index in 0..count {
            parts.iter().for_each(|part| data.extend_from_slice(part.image(index)));
        }
        Maps { count, channels: parts.iter().map(|part| part.channels).sum(), height, width, data }
    }

    /// Mean of every channel over space, count×channels.
    pub(crate) fn spatial_mean(&self) -> Vec<f32> {
        let area = self.area();
        self.data
            .chunks_exact(area)
            .map(|channel| (channel.iter().map(|&x| f64::from(x)).sum::<f64>() / area as f64) as f32)
            .collect()
    }
}

/// Cuts `0..count` into ranges of at most `most`, as equal as possible, and into one for every thread where there are
/// enough. Features of an image do not depend on the images beside it, so neither do results on the cuts.
pub(crate) fn groups(count: usize, most: usize) -> Vec<Range<usize>> {
    let groups = count.div_ceil(most.max(1)).max(rayon::current_num_threads().min(count));
    (0..groups).map(|group| count * group / groups..count * (group + 1) / groups).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_every_image_are_joined() {
        let part = |channels: usize, first: usize| Maps {
            count: 2,
            channels,
            height: 1,
            width: 1,
            data: (first..first + 2 * channels).map(|x| x as f32).collect(),
        };
        let joined = Maps::concat(&[part(2, 0), part(1, 10)]);
        assert_eq!((joined.count, joined.channels), (2, 3));
        assert_eq!(joined.data, [0.0, 1.0, 10.0, 2.0, 3.0, 11.0]);
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
