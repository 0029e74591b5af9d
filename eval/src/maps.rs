//! Feature maps of one image.

/// Channels of one image, channels×height×width in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Maps {
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

    /// The channels of several maps of the same size, one after another.
    pub(crate) fn concat(parts: &[Maps]) -> Maps {
        let (height, width) = (parts[0].height, parts[0].width);
        debug_assert!(parts.iter().all(|part| (part.height, part.width) == (height, width)));
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.data.len()).sum());
        for part in parts {
            data.extend_from_slice(&part.data);
        }
        Maps { channels: parts.iter().map(|part| part.channels).sum(), height, width, data }
    }

    /// Mean of every channel over space.
    pub(crate) fn spatial_mean(&self) -> Vec<f32> {
        let area = self.area();
        self.data
            .chunks_exact(area)
            .map(|channel| (channel.iter().map(|&x| f64::from(x)).sum::<f64>() / area as f64) as f32)
            .collect()
    }
}
