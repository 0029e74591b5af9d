//! A batch of outputs that a device still works on.

use super::EvaluateError;
use super::task::Task;
use candle_core::Tensor;
use harness_eval::{Lpips, Rgb8Images, Rgb8Tensor, SignedTensor};
use harness_ops::images::Readback;

/// Outputs whose features and distances have been asked for.
pub(super) struct DeviceBatch {
    /// Position of the first source.
    first: usize,
    /// `outputs[j]` holds the j-th output of every source, kept to name a value that is not finite.
    outputs: Vec<SignedTensor>,
    reading: Readback,
}

/// A batch that the device is done with.
pub(super) struct ReadBatch {
    first: usize,
    outputs: Vec<SignedTensor>,
    not_finite: Vec<u32>,
    /// All pixels, output by output, if they were asked for.
    pixels: Option<Tensor>,
    parts: Option<Tensor>,
    features: Vec<Tensor>,
}

impl DeviceBatch {
    /// Asks for everything that `task` wants of a batch, and with `keep_pixels` for its pixels; waits for nothing.
    /// `outputs[j]` holds the j-th output of every source, the first of which has position `first`.
    pub fn begin(
        task: &Task,
        first: usize,
        outputs: Vec<SignedTensor>,
        keep_pixels: bool,
    ) -> Result<Self, EvaluateError> {
        let quantized = outputs.iter().map(SignedTensor::quantize).collect::<harness_eval::Result<Vec<_>>>()?;
        let (pixels, flags): (Vec<Rgb8Tensor>, Vec<Tensor>) = quantized.into_iter().unzip();
        let mut asked = vec![Tensor::cat(&flags, 0)?];
        let pixels = Rgb8Tensor::concat(&pixels)?;
        if keep_pixels {
            asked.push(pixels.tensor().clone());
        }
        if let Some(lpips) = task.lpips {
            asked.push(lpips.diversity_parts(&outputs)?);
        }
        for extractor in task.extractors {
            asked.push(extractor.features_of_tensor(&pixels)?);
        }
        Ok(Self { first, outputs, reading: Readback::begin(asked)? })
    }

    /// Waits for what was asked for, but for no later work.
    pub fn finish(self, task: &Task, keep_pixels: bool) -> Result<ReadBatch, EvaluateError> {
        let mut read = self.reading.finish()?.into_iter();
        let not_finite = read.next().map(|flags| flags.to_vec1::<u32>()).transpose()?.unwrap_or_default();
        let pixels = if keep_pixels { read.next() } else { None };
        let parts = task.lpips.and_then(|_| read.next());
        Ok(ReadBatch { first: self.first, outputs: self.outputs, not_finite, pixels, parts, features: read.collect() })
    }
}

impl ReadBatch {
    /// Outputs of all sources.
    pub fn len(&self) -> usize {
        self.outputs.iter().map(SignedTensor::len).sum()
    }

    /// Position of the first source in the task.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Why there are no values, if some output is not finite.
    pub fn problem(&self) -> Result<Option<String>, EvaluateError> {
        let broken = self.outputs.iter().zip(&self.not_finite).find(|(_, flag)| **flag != 0);
        match broken.map(|(output, _)| output.to_images()) {
            None => Ok(None),
            Some(Err(error @ harness_eval::Error::NonFiniteImage { .. })) => Ok(Some(error.to_string())),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(_)) => Ok(Some("a value was not finite on the device and is finite now".into())),
        }
    }

    /// The pixels of every output, if they were asked for.
    pub fn pixels(&self) -> Result<Vec<Rgb8Images>, EvaluateError> {
        let Some(pixels) = &self.pixels else { return Ok(Vec::new()) };
        let per_output = pixels.dim(0)? / self.outputs.len().max(1);
        let output = |output: usize| Rgb8Tensor::images_of(&pixels.narrow(0, output * per_output, per_output)?);
        Ok((0..self.outputs.len()).map(output).collect::<harness_eval::Result<_>>()?)
    }
}

impl Task<'_> {
    /// Adds a batch whose outputs are finite.
    pub fn push_read(&mut self, batch: &ReadBatch) -> Result<(), EvaluateError> {
        if let Some(parts) = &batch.parts {
            self.diversities.push(Lpips::diversities_of_parts(parts, batch.outputs.len())?);
        }
        for (rows, features) in self.features.iter_mut().zip(&batch.features) {
            rows.extend(features.flatten_all()?.to_vec1::<f32>()?);
        }
        for (output, images) in batch.outputs.iter().enumerate() {
            self.push_sources(batch.first, images.len(), output == 0);
        }
        Ok(())
    }
}
