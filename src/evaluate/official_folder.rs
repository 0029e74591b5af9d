//! Outputs and numbers as files, in the layout of the official code's `eval_dir`.

use super::EvaluateError;
use harness_eval::Rgb8Images;
use harness_reports::records::EvaluationRow;
use image::codecs::png::PngEncoder;
use rayon::prelude::*;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder `MODE/TASK/INDEX_OUTPUT.png` (counted from 1, as `latent/cat2dog/0001_01.png`) beside
/// `LPIPS_STEP_MODE.json` and `FID_STEP_MODE.json`. The official code keeps the images of one mode only, without the
/// folder of the mode.
///
/// Everything is written beside the folder and takes its place at the end.
pub(super) struct OfficialFolder {
    folder: PathBuf,
    fresh: PathBuf,
}

impl OfficialFolder {
    /// Begins a new content of `folder`.
    pub fn begin(folder: &Path) -> Result<Self, EvaluateError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let fresh = folder.with_file_name(format!(".new-{name}"));
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(failed(&fresh))?;
        }
        crate::store::create_dir(&fresh).map_err(|error| failed(&fresh)(std::io::Error::other(error)))?;
        Ok(Self { folder: folder.to_owned(), fresh })
    }

    /// Writes the outputs of some sources: `outputs[j]` holds the j-th output of each, the first being the source at
    /// position `first` of the task.
    pub fn save(&self, mode: &str, task: &str, first: usize, outputs: &[Rgb8Images]) -> Result<(), EvaluateError> {
        let folder = self.fresh.join(mode).join(task);
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        outputs.par_iter().enumerate().try_for_each(|(output, images)| {
            (0..images.len()).try_for_each(|index| {
                let file = folder.join(format!("{:04}_{:02}.png", first + index + 1, output + 1));
                fs::write(&file, png(images, index)?).map_err(failed(&file))
            })
        })
    }

    /// Writes the official code's files with the numbers of `rows` (values of other protocols are not among them), and
    /// puts the folder in place.
    pub fn finish(self, rows: &[EvaluationRow]) -> Result<(), EvaluateError> {
        for (name, protocol) in [("LPIPS", "lpips-alex-v0.1/stargan-v2-"), ("FID", "fid/stargan-v2/")] {
            let of_metric = || rows.iter().filter(|row| row.protocol.starts_with(protocol));
            let mut modes: Vec<(&str, u64)> = of_metric().map(|row| (row.mode.as_str(), row.iteration)).collect();
            modes.dedup();
            for (mode, iteration) in modes {
                let outputs = of_metric().filter(|row| row.mode == mode).map(|row| row.outputs).max();
                let values: Map<String, Value> = of_metric()
                    .filter(|row| row.mode == mode && Some(row.outputs) == outputs)
                    .filter_map(|row| Some((format!("{name}_{mode}/{}", row.task), row.value?.into())))
                    .collect();
                if !values.is_empty() {
                    let file = self.fresh.join(format!("{name}_{iteration:05}_{mode}.json"));
                    let text = serde_json::to_string_pretty(&values).map_err(|error| failed(&file)(error.into()))?;
                    fs::write(&file, text).map_err(failed(&file))?;
                }
            }
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(failed(&self.folder))?;
        }
        fs::rename(&self.fresh, &self.folder).map_err(failed(&self.folder))
    }
}

fn png(images: &Rgb8Images, index: usize) -> Result<Vec<u8>, EvaluateError> {
    let mut bytes = Vec::new();
    images
        .rgb_image(index)
        .write_with_encoder(PngEncoder::new(&mut bytes))
        .map_err(|error| failed(Path::new("an image"))(std::io::Error::other(error)))?;
    Ok(bytes)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> EvaluateError {
    let path = path.to_owned();
    move |source| EvaluateError::Write { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};
    use harness_eval::SignedImages;

    fn row(metric: &str, protocol: &str, task: &str, outputs: u64, value: Option<f64>) -> EvaluationRow {
        EvaluationRow {
            iteration: 400,
            mode: "latent".into(),
            task: task.into(),
            metric: metric.into(),
            protocol: protocol.into(),
            value,
            missing: None,
            ci: None,
            n_real: 0,
            n_fake: 0,
            outputs,
        }
    }

    #[test]
    fn the_layout_is_the_official_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("eval");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("old"), "old").unwrap();
        let images = |value: f32| {
            SignedImages::from_tensor(&Tensor::full(value, (2, 3, 4, 5), &Device::Cpu).unwrap()).unwrap().quantize()
        };
        let official = OfficialFolder::begin(&folder).unwrap();
        official.save("latent", "cat2dog", 31, &[images(-1.0), images(0.0)]).unwrap();
        let rows = [
            row("lpips", "lpips-alex-v0.1/stargan-v2-batch32/x", "cat2dog", 2, Some(0.5)),
            row("lpips", "lpips-alex-v0.1/stargan-v2-batch32/x", "mean", 2, Some(0.25)),
            row("fid", "fid/stargan-v2/x", "cat2dog", 2, Some(12.5)),
            row("fid", "fid/stargan-v2/x", "cat2dog", 1, Some(99.0)),
            row("fid", "fid/stargan-v2/x", "mean", 2, None),
            row("fid", "fid/pytorch-fid/x", "dog2cat", 2, Some(3.0)),
        ];
        official.finish(&rows).unwrap();
        assert!(!folder.join("old").exists(), "the old content is gone");
        let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
        assert_eq!(
            read("LPIPS_00400_latent.json"),
            serde_json::json!({"LPIPS_latent/cat2dog": 0.5, "LPIPS_latent/mean": 0.25})
        );
        assert_eq!(read("FID_00400_latent.json"), serde_json::json!({"FID_latent/cat2dog": 12.5}));
        let mut names: Vec<_> = fs::read_dir(folder.join("latent/cat2dog"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["0032_01.png", "0032_02.png", "0033_01.png", "0033_02.png"]);
        let grey = image::open(folder.join("latent/cat2dog/0033_02.png")).unwrap().into_rgb8();
        assert_eq!((grey.dimensions(), grey.get_pixel(4, 3).0), ((5, 4), [128, 128, 128]));
    }
}
