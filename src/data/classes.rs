//! MNIST and CIFAR-10: each class a domain.

use crate::experiment::settings::DataSource;

/// Name and class names (the data sets' own order, which is alphabetical) of a source.
fn description(source: DataSource) -> (&'static str, [&'static str; 10]) {
    match source {
        DataSource::Cifar10 => {
            ("cifar10", ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"])
        }
        _ => ("mnist", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    }
}

/// Without candle-datasets there is nothing to open.
#[cfg(not(feature = "datasets"))]
pub(super) fn open(spec: &crate::experiment::settings::Dataset) -> Result<super::dataset::Opened, super::DataError> {
    Err(super::DataError::Unavailable {
        data_source: description(spec.source).0,
        problem: "this binary was built without MNIST and CIFAR-10".into(),
        advice: "build with `--features datasets`".into(),
    })
}

#[cfg(feature = "datasets")]
pub(super) use with_candle_datasets::open;

#[cfg(feature = "datasets")]
mod with_candle_datasets {
    use super::description;
    use crate::data::dataset::{Fingerprint, ImageSource, Opened, choose_domains};
    use crate::data::{DataError, Split};
    use crate::experiment::settings::{DataSource, Dataset};
    use candle_core::{DType, Tensor};
    use candle_datasets::vision::{self, cifar, mnist};
    use image::RgbImage;
    use std::path::{Path, PathBuf};

    /// Where a local copy may lie below `root`, and the file that shows it is there.
    fn local_layouts(source: DataSource) -> (&'static [&'static str], &'static str, &'static str) {
        match source {
            DataSource::Cifar10 => (
                &["", "cifar-10-batches-bin"],
                "data_batch_1.bin",
                "unpack the binary version of CIFAR-10 (cifar-10-binary.tar.gz) there",
            ),
            _ => (
                &["", "raw", "MNIST/raw"],
                "train-images-idx3-ubyte",
                "put the four unpacked files of MNIST (train-images-idx3-ubyte, …) there",
            ),
        }
    }

    pub fn open(spec: &Dataset) -> Result<Opened, DataError> {
        let (name, classes) = description(spec.source);
        let (layouts, marker, advice) = local_layouts(spec.source);
        let raw = match &spec.root {
            Some(root) => {
                let dir: PathBuf =
                    layouts.iter().map(|layout| root.join(layout)).find(|dir| dir.join(marker).is_file()).ok_or_else(
                        || DataError::Unavailable {
                            data_source: name,
                            problem: format!("{} has no file {marker}", root.display()),
                            advice: format!("{advice}, or leave `root` out to download it"),
                        },
                    )?;
                load_dir(spec.source, &dir).map_err(|error| DataError::Unavailable {
                    data_source: name,
                    problem: format!("{}: {error}", dir.display()),
                    advice: format!("{advice} again"),
                })?
            }
            None => download(spec.source).map_err(|error| DataError::Unavailable {
                data_source: name,
                problem: format!("the download failed: {error}"),
                advice: format!("connect to the network, or set `root` to a folder and {advice}"),
            })?,
        };
        assemble(spec, name, &classes, &raw)
    }

    fn load_dir(source: DataSource, dir: &Path) -> candle_core::Result<vision::Dataset> {
        match source {
            DataSource::Cifar10 => cifar::load_dir(dir),
            _ => mnist::load_dir(dir),
        }
    }

    fn download(source: DataSource) -> candle_core::Result<vision::Dataset> {
        match source {
            DataSource::Cifar10 => {
                let mut dataset = cifar::load()?;
                // candle-datasets 0.11 takes the axes of downloaded images in the order channel, x, y.
                dataset.train_images = dataset.train_images.transpose(2, 3)?;
                dataset.test_images = dataset.test_images.transpose(2, 3)?;
                Ok(dataset)
            }
            _ => mnist::load(),
        }
    }

    /// Images of one split as interleaved RGB, with their labels.
    struct Images {
        side: usize,
        pixels: Vec<u8>,
        labels: Vec<u8>,
    }

    impl Images {
        /// From N×3×S×S or N×(S·S) values in [0, 1].
        fn new(images: &Tensor, labels: &Tensor) -> candle_core::Result<Self> {
            let count = images.dim(0)?;
            let bytes = ((images * 255.0)? + 0.5)?.to_dtype(DType::U8)?;
            let bytes = match bytes.rank() {
                2 => bytes.reshape((count, (), 1))?.broadcast_as((count, bytes.dim(1)?, 3))?,
                _ => bytes.permute((0, 2, 3, 1))?,
            };
            let pixels = bytes.contiguous()?.flatten_all()?.to_vec1()?;
            let side = ((pixels.len() / (3 * count.max(1))) as f64).sqrt() as usize;
            Ok(Images { side, pixels, labels: labels.to_vec1()? })
        }

        fn image(&self, index: usize) -> Option<RgbImage> {
            let len = self.side * self.side * 3;
            let pixels = self.pixels.get(index * len..(index + 1) * len)?.to_vec();
            RgbImage::from_raw(self.side as u32, self.side as u32, pixels)
        }
    }

    struct ClassSource {
        name: &'static str,
        domains: Vec<String>,
        splits: [Images; 2],
        /// Positions of a domain's images within its split.
        members: [Vec<Vec<usize>>; 2],
    }

    impl ImageSource for ClassSource {
        fn name(&self, split: Split, domain: usize, index: usize) -> String {
            format!("{split}/{}/{:05}", self.domains[domain], self.members[split as usize][domain][index])
        }

        fn load(&self, split: Split, domain: usize, index: usize) -> Result<RgbImage, DataError> {
            let position = self.members[split as usize][domain][index];
            self.splits[split as usize].image(position).ok_or_else(|| DataError::Internal {
                what: format!("{} {split} image {position}", self.name),
                problem: "the data set ends before it".into(),
            })
        }
    }

    /// `train_per_domain` and `val_per_domain` belong to `shapes`; here all images are used.
    pub(super) fn assemble(
        spec: &Dataset,
        name: &'static str,
        classes: &[&str; 10],
        raw: &vision::Dataset,
    ) -> Result<Opened, DataError> {
        let splits =
            [Images::new(&raw.train_images, &raw.train_labels)?, Images::new(&raw.test_images, &raw.test_labels)?];
        let available = classes.map(String::from);
        let domains = choose_domains(spec.domains.as_deref(), &available, name)?;
        let members = splits.each_ref().map(|split| {
            let of_class = |class: &String| {
                let label = available.iter().position(|name| name == class);
                let is_member = |&i: &usize| Some(usize::from(split.labels[i])) == label;
                (0..split.labels.len()).filter(is_member).collect::<Vec<_>>()
            };
            domains.iter().map(of_class).collect::<Vec<_>>()
        });
        for (split, members) in Split::ALL.into_iter().zip(&members) {
            if let Some(empty) = members.iter().position(Vec::is_empty) {
                let path = PathBuf::from(format!("{name} {split} class {}", domains[empty]));
                return Err(DataError::EmptyDomain { path, skipped: 0 });
            }
        }
        let mut fingerprint = Fingerprint::new(&format!("{name} v1"), &domains);
        for (split, members) in splits.iter().zip(&members) {
            let len = split.side * split.side * 3;
            for list in members {
                fingerprint.number(list.len() as u64);
                list.iter().for_each(|&i| fingerprint.bytes(&split.pixels[i * len..(i + 1) * len]));
            }
        }
        let counts = members.each_ref().map(|members| members.iter().map(Vec::len).collect());
        Ok(Opened {
            counts,
            fingerprint: fingerprint.finish(),
            warnings: Vec::new(),
            skipped: Vec::new(),
            source: Box::new(ClassSource { name, domains: domains.clone(), splits, members }),
            domains,
        })
    }
}

#[cfg(test)]
#[cfg(feature = "datasets")]
mod tests {
    use super::*;
    use crate::data::{DataError, DataSet, OpenOptions, Split};
    use crate::experiment::settings::Dataset;
    use candle_core::{Device, Tensor};
    use std::fs;
    use std::path::Path;

    fn idx(magic: u32, dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = magic.to_be_bytes().to_vec();
        dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    /// Twelve images per split; image i has label i mod 3 and the value 10·i in its corner.
    fn write_mnist(dir: &Path) {
        let labels: Vec<u8> = (0..12).map(|i| i % 3).collect();
        let images: Vec<u8> = (0..12u8).flat_map(|i| (0..784).map(move |p| if p == 0 { 10 * i } else { 7 })).collect();
        for split in ["train", "t10k"] {
            fs::write(dir.join(format!("{split}-images-idx3-ubyte")), idx(2051, &[12, 28, 28], &images)).unwrap();
            fs::write(dir.join(format!("{split}-labels-idx1-ubyte")), idx(2049, &[12], &labels)).unwrap();
        }
    }

    fn open_mnist(root: &Path, domains: &[&str]) -> Result<DataSet, DataError> {
        let domains = Some(domains.iter().map(|d| d.to_string()).collect());
        let spec = Dataset { source: DataSource::Mnist, root: Some(root.into()), domains, ..Dataset::default() };
        DataSet::open(&spec, &OpenOptions { strict: false, image_size: 32, cache_dir: None })
    }

    #[test]
    fn mnist_from_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("MNIST/raw");
        fs::create_dir_all(&raw).unwrap();
        write_mnist(&raw);
        let data = open_mnist(dir.path(), &["2", "0"]).unwrap();
        assert_eq!(data.domains(), ["2", "0"]);
        assert_eq!((data.len(Split::Train, 0), data.len(Split::Val, 1)), (4, 4));
        let image = data.image(Split::Train, 0, 1).unwrap();
        assert_eq!(image.dimensions(), (28, 28));
        assert_eq!(image.get_pixel(0, 0).0, [50; 3], "the second 2 is image 5");
        assert_eq!(image.get_pixel(1, 0).0, [7; 3]);
        assert_ne!(data.fingerprint(), open_mnist(dir.path(), &["0", "2"]).unwrap().fingerprint());

        let error = open_mnist(dir.path(), &["0", "7"]).unwrap_err();
        assert!(error.to_string().contains("class 7"), "{error}");
        fs::write(raw.join("train-labels-idx1-ubyte"), b"nonsense").unwrap();
        let error = open_mnist(dir.path(), &["0", "1"]).unwrap_err();
        assert!(error.to_string().contains("magic number"), "{error}");
        let error = open_mnist(&dir.path().join("nowhere"), &["0", "1"]).unwrap_err();
        assert!(error.to_string().contains("train-images-idx3-ubyte"), "{error}");
    }

    #[test]
    fn colour_images_keep_rows_columns_and_channels_apart() {
        // Two images of 4×4; value = channel·100 + y·10 + x.
        let values: Vec<f32> =
            (0..2 * 48).map(|i| ((i % 48) / 16 * 100 + (i % 16) / 4 * 10 + i % 4) as f32 / 255.0).collect();
        let images = Tensor::from_vec(values, (2, 3, 4, 4), &Device::Cpu).unwrap();
        let labels = Tensor::new(&[3u8, 5], &Device::Cpu).unwrap();
        let raw = candle_datasets::vision::Dataset {
            train_images: images.clone(),
            train_labels: labels.clone(),
            test_images: images,
            test_labels: labels,
            labels: 10,
        };
        let (name, classes) = description(DataSource::Cifar10);
        let spec = Dataset { domains: Some(vec!["dog".into(), "cat".into()]), ..Dataset::default() };
        let opened = with_candle_datasets::assemble(&spec, name, &classes, &raw).unwrap();
        let image = opened.source.load(Split::Train, 0, 0).unwrap();
        assert_eq!(opened.source.name(Split::Train, 0, 0), "train/dog/00001");
        assert!(image.enumerate_pixels().all(|(x, y, p)| p.0 == [0, 100, 200].map(|c| (c + y * 10 + x) as u8)));
    }
}
