//! The recipes of [`Preprocessing`] where the images lie.

use super::Preprocessing;
use super::preprocessing::{DEVIATION, INPUT_SIDE, MEAN};
use crate::Result;
use crate::images::to_unit;
use candle_core::{Device, Tensor};
use harness_ops::images::{Resampler, Resampling, channel_coefficients, look_up, lookup_table, scale_channels};
use harness_ops::resize::Filter;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One step from pixels to the network's input.
enum Step {
    Resample(Resampler),
    /// Pixels to floats by a table.
    LookUp(Tensor),
    /// Cut to a range, shifted and scaled.
    Scale(Tensor, [f32; 2]),
}

/// A recipe for images of one size, with its tables on the device.
pub(crate) struct DeviceInput(Vec<Step>);

impl DeviceInput {
    fn new(recipe: Preprocessing, height: usize, width: usize, device: &Device) -> Result<Self> {
        const INPUT: [usize; 2] = [INPUT_SIDE; 2];
        let resample = |how, from, to| Resampler::new(how, from, to, device).map(Step::Resample);
        let table = |value: &dyn Fn(usize, u8) -> f32| lookup_table(3, value, device).map(Step::LookUp);
        let scale = |shift: f32, scale: f32, range| {
            channel_coefficients(&[shift; 3], &[scale; 3], device).map(|both| Step::Scale(both, range))
        };
        let steps = match recipe {
            Preprocessing::StarganV2 { side } => {
                let bytes = Resampling::Bytes(Filter::Bilinear);
                vec![
                    resample(bytes, [height, width], [side; 2])?,
                    resample(bytes, [side; 2], INPUT)?,
                    table(&|channel, pixel| (to_unit(pixel) - MEAN[channel]) / DEVIATION[channel])?,
                ]
            }
            Preprocessing::PytorchFid => vec![
                table(&|_, pixel| to_unit(pixel))?,
                resample(Resampling::Bilinear, [height, width], INPUT)?,
                // The same rounding as 2 x - 1.
                scale(0.5, 0.5, [f32::NEG_INFINITY, f32::INFINITY])?,
            ],
            Preprocessing::CleanFid => vec![
                table(&|_, pixel| f32::from(pixel))?,
                resample(Resampling::Floats(Filter::Bicubic), [height, width], INPUT)?,
                scale(128.0, 128.0, [0.0, 255.0])?,
            ],
        };
        Ok(Self(steps))
    }

    /// N×3×299×299 of f32 from N×3×height×width of u8.
    pub(crate) fn apply(&self, pixels: &Tensor) -> Result<Tensor> {
        let step = |x: Tensor, step: &Step| match step {
            Step::Resample(resampler) => resampler.apply(&x),
            Step::LookUp(table) => look_up(&x, table),
            Step::Scale(coefficients, range) => scale_channels(&x, coefficients, *range),
        };
        Ok(self.0.iter().try_fold(pixels.clone(), step)?)
    }
}

/// The recipes that were asked for, by recipe, height and width.
#[derive(Default)]
pub(crate) struct DeviceInputs(Mutex<HashMap<(Preprocessing, usize, usize), Arc<DeviceInput>>>);

impl DeviceInputs {
    /// Recipes beyond which all are forgotten: folders may hold images of any number of sizes.
    const MOST: usize = 64;

    /// The recipe for images of a size, with its tables on `device`.
    pub(crate) fn get(
        &self,
        recipe: Preprocessing,
        height: usize,
        width: usize,
        device: &Device,
    ) -> Result<Arc<DeviceInput>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = known.get(&(recipe, height, width)) {
            return Ok(Arc::clone(input));
        }
        if known.len() >= Self::MOST {
            known.clear();
        }
        let input = Arc::new(DeviceInput::new(recipe, height, width, device)?);
        known.insert((recipe, height, width), Arc::clone(&input));
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To the bit, for images of several sizes.
    #[test]
    fn is_the_recipe_of_single_images() {
        let recipes = [
            Preprocessing::StarganV2 { side: 64 },
            Preprocessing::StarganV2 { side: INPUT_SIDE },
            Preprocessing::PytorchFid,
            Preprocessing::CleanFid,
        ];
        let inputs = DeviceInputs::default();
        for recipe in recipes {
            for (height, width) in [(64, 64), (310, 333), (INPUT_SIDE, INPUT_SIDE), (1, 3)] {
                let len = 3 * height * width;
                let pixels: Vec<u8> = (0..2 * len).map(|i| (i * i / 7 % 256) as u8).collect();
                let mut expected = Vec::new();
                for image in pixels.chunks_exact(len) {
                    recipe.apply(image, height, width, &mut expected).unwrap();
                }
                let pixels = Tensor::from_vec(pixels, (2, 3, height, width), &Device::Cpu).unwrap();
                let input = inputs.get(recipe, height, width, &Device::Cpu).unwrap().apply(&pixels).unwrap();
                assert_eq!(input.dims(), [2, 3, INPUT_SIDE, INPUT_SIDE]);
                let found = input.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(found == expected, "{recipe:?} of {height}x{width}");
            }
        }
    }
}
