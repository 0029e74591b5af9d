//! Image folders: `root/SPLIT/DOMAIN/**.{png,jpg,jpeg}`.

use super::dataset::{Fingerprint, ImageSource, Opened, choose_domains};
use super::scan_cache::{Candidate, Checked, ScanCache};
use super::{DataError, OpenOptions, SkippedImage, Split};
use crate::experiment::settings::Dataset;
use harness_eval::decode::{DECODER_VERSION, decode};
use harness_eval::folder::{list_files, relative_name};
use image::RgbImage;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names listed in one warning; the rest are counted.
const NAMES_IN_WARNING: usize = 10;

/// One readable image.
struct File {
    path: PathBuf,
    relative: String,
}

struct FolderSource {
    files: [Vec<Vec<File>>; 2],
}

impl ImageSource for FolderSource {
    fn name(&self, split: Split, domain: usize, index: usize) -> String {
        self.files[split as usize][domain][index].relative.clone()
    }

    fn load(&self, split: Split, domain: usize, index: usize) -> Result<RgbImage, DataError> {
        let path = &self.files[split as usize][domain][index].path;
        let bytes = fs::read(path).map_err(DataError::io(path))?;
        let decoded =
            decode(&bytes).map_err(|problem| DataError::Decode { path: path.clone(), problem: problem.to_string() })?;
        Ok(decoded.image)
    }
}

pub(super) fn open(spec: &Dataset, options: &OpenOptions) -> Result<Opened, DataError> {
    let root = spec.root.as_deref().ok_or(DataError::NoRoot { data_source: "folder" })?;
    let split_dirs = split_dirs(root, spec)?;
    let domains = domains(&split_dirs, spec)?;

    let mut candidates = Vec::new();
    let mut places = Vec::new();
    for split in Split::ALL {
        for (domain, name) in domains.iter().enumerate() {
            let dir = split_dirs[split as usize].join(name);
            let found = images_below(&dir, root)?;
            places.extend(std::iter::repeat_n((split, domain), found.len()));
            candidates.extend(found);
        }
    }
    let (checked, cache_warning) = ScanCache::open(root, options.cache_dir.as_deref()).check(&candidates)?;

    let empty = || domains.iter().map(|_| Vec::new()).collect::<Vec<_>>();
    let mut files = [empty(), empty()];
    let mut hashes: [Vec<Vec<String>>; 2] = [vec![vec![]; domains.len()], vec![vec![]; domains.len()]];
    let mut skipped: HashMap<(Split, usize), Vec<SkippedImage>> = HashMap::new();
    for ((Candidate { path, relative }, checked), place) in candidates.into_iter().zip(checked).zip(places) {
        let (split, domain) = (place.0 as usize, place.1);
        match checked {
            Checked::Image { hash, .. } => {
                files[split][domain].push(File { path, relative });
                hashes[split][domain].push(hash);
            }
            Checked::Corrupt(reason) => skipped.entry(place).or_default().push(SkippedImage { path, reason }),
        }
    }

    let mut warnings: Vec<String> = cache_warning.into_iter().collect();
    let mut all_skipped = Vec::new();
    for split in Split::ALL {
        for (domain, name) in domains.iter().enumerate() {
            let lost = skipped.remove(&(split, domain)).unwrap_or_default();
            let path = split_dirs[split as usize].join(name);
            let kept = files[split as usize][domain].len();
            if !lost.is_empty() {
                warnings.push(format!(
                    "{}: {} of {} image(s) cannot be decoded and are left out: {}",
                    path.display(),
                    lost.len(),
                    lost.len() + kept,
                    list(&lost)
                ));
            }
            if kept == 0 && (lost.is_empty() || !options.strict) {
                return Err(DataError::EmptyDomain { path, skipped: lost.len() });
            }
            all_skipped.extend(lost);
        }
    }
    if options.strict && !all_skipped.is_empty() {
        return Err(DataError::Corrupt { count: all_skipped.len(), list: list(&all_skipped) });
    }
    warnings.extend(shared_images(&files, &hashes));

    // The same files are other images to another decoder.
    let mut fingerprint = Fingerprint::new(&format!("folder v1, decoder {DECODER_VERSION}"), &domains);
    for list in hashes.iter().flatten() {
        fingerprint.number(list.len() as u64);
        list.iter().for_each(|hash| fingerprint.text(hash));
    }
    let counts = |split: &Vec<Vec<File>>| split.iter().map(Vec::len).collect();
    Ok(Opened {
        counts: [counts(&files[0]), counts(&files[1])],
        fingerprint: fingerprint.finish(),
        warnings,
        skipped: all_skipped,
        source: Box::new(FolderSource { files }),
        domains,
    })
}

fn split_dirs(root: &Path, spec: &Dataset) -> Result<[PathBuf; 2], DataError> {
    if !root.is_dir() {
        let advice = "put the data set there or set `root` to where it is".into();
        return Err(DataError::MissingFolder { path: root.into(), advice });
    }
    let dir = |key: &str, name: &str| {
        let path = root.join(name);
        if path.is_dir() {
            return Ok(path);
        }
        let there = subfolders(root)?.join(", ");
        let there = if there.is_empty() { "no folder".into() } else { there };
        let advice =
            format!("the data set needs ROOT/{name}/DOMAIN/IMAGES; its root has {there}, set `{key}` to another name");
        Err(DataError::MissingFolder { path, advice })
    };
    Ok([dir("train", &spec.train)?, dir("val", &spec.val)?])
}

/// Domains of both splits, which must agree.
fn domains(split_dirs: &[PathBuf; 2], spec: &Dataset) -> Result<Vec<String>, DataError> {
    let found = [subfolders(&split_dirs[0])?, subfolders(&split_dirs[1])?];
    let mut all: Vec<String> = found.concat();
    all.sort();
    all.dedup();
    let place = format!("{} or {}", split_dirs[0].display(), split_dirs[1].display());
    let domains = choose_domains(spec.domains.as_deref(), &all, &place)?;
    if domains.len() < 2 {
        return Err(DataError::TooFewDomains { path: split_dirs[0].clone(), found: domains.len() });
    }
    for (names, (dir, other)) in found.iter().zip([(&split_dirs[0], &split_dirs[1]), (&split_dirs[1], &split_dirs[0])])
    {
        if let Some(name) = domains.iter().find(|name| !names.contains(name)) {
            let advice =
                format!("{} has this domain: add its images here too, or leave it out with `domains`", other.display());
            return Err(DataError::MissingFolder { path: dir.join(name), advice });
        }
    }
    Ok(domains)
}

/// Names of the folders in `dir`, sorted; hidden ones are ignored.
pub(super) fn subfolders(dir: &Path) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(DataError::io(dir))? {
        let entry = entry.map_err(DataError::io(dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Image files anywhere below `dir`, sorted by path; links are followed, hidden files ignored.
pub(super) fn images_below(dir: &Path, root: &Path) -> Result<Vec<Candidate>, DataError> {
    let files = list_files(dir, true, &is_image)?.files;
    Ok(files.into_iter().map(|path| Candidate { relative: relative_name(&path, root), path }).collect())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|e| ["png", "jpg", "jpeg"].iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// `name (reason), …` for messages.
fn list(skipped: &[SkippedImage]) -> String {
    let mut parts: Vec<String> = skipped
        .iter()
        .take(NAMES_IN_WARNING)
        .map(|image| format!("{} ({})", image.path.display(), image.reason))
        .collect();
    if skipped.len() > NAMES_IN_WARNING {
        parts.push(format!("and {} more", skipped.len() - NAMES_IN_WARNING));
    }
    parts.join(", ")
}

/// A warning if validation images are also trained with: metrics would flatter the model.
fn shared_images(files: &[Vec<Vec<File>>; 2], hashes: &[Vec<Vec<String>>; 2]) -> Option<String> {
    let train: std::collections::HashSet<&String> = hashes[0].iter().flatten().collect();
    let shared: Vec<&str> = hashes[1]
        .iter()
        .flatten()
        .zip(files[1].iter().flatten())
        .filter(|(hash, _)| train.contains(hash))
        .map(|(_, file)| file.relative.as_str())
        .collect();
    let first = shared.first()?;
    Some(format!("{} validation image(s) are also in the training split, for example {first}", shared.len()))
}
