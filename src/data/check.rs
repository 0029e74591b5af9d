//! A summary of an image folder, for people.

use super::folder::{images_below, subfolders};
use super::scan_cache::{Checked, ScanCache};
use super::{DataError, SkippedImage};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// What is in an image folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The folder.
    pub dir: PathBuf,
    /// Its splits, alphabetically.
    pub splits: Vec<SplitReport>,
    /// Images whose bytes occur in more than one place, with all the places (paths below the folder).
    pub duplicates: Vec<Vec<String>>,
    /// Why it could not be trained with as it is; empty if it could.
    pub problems: Vec<String>,
}

/// One split, such as `train`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitReport {
    /// Name of its folder.
    pub name: String,
    /// Its domains, alphabetically.
    pub domains: Vec<DomainReport>,
}

/// The images of one domain in one split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainReport {
    /// Name of its folder.
    pub name: String,
    /// Readable images.
    pub images: usize,
    /// Length of their files together.
    pub bytes: u64,
    /// How many images have each size (width, height) in pixels.
    pub sizes: BTreeMap<(u32, u32), usize>,
    /// Files that cannot be decoded.
    pub corrupt: Vec<SkippedImage>,
}

/// Looks at every image below `dir/SPLIT/DOMAIN`. `cache_dir` as in [`super::OpenOptions`].
pub fn check(dir: &Path, cache_dir: Option<&Path>) -> Result<CheckReport, DataError> {
    if !dir.is_dir() {
        let advice = "name a folder that has SPLIT/DOMAIN/IMAGES in it".into();
        return Err(DataError::MissingFolder { path: dir.into(), advice });
    }
    let mut splits = Vec::new();
    let (mut candidates, mut places) = (Vec::new(), Vec::new());
    for (s, split) in subfolders(dir)?.into_iter().enumerate() {
        let mut domains = Vec::new();
        for (d, name) in subfolders(&dir.join(&split))?.into_iter().enumerate() {
            let found = images_below(&dir.join(&split).join(&name), dir)?;
            places.extend(std::iter::repeat_n((s, d), found.len()));
            candidates.extend(found);
            domains.push(DomainReport { name, images: 0, bytes: 0, sizes: BTreeMap::new(), corrupt: Vec::new() });
        }
        splits.push(SplitReport { name: split, domains });
    }
    let (checked, _) = ScanCache::open(dir, cache_dir).check(&candidates)?;
    let mut by_hash: HashMap<String, Vec<String>> = HashMap::new();
    for ((candidate, checked), (s, d)) in candidates.into_iter().zip(checked).zip(places) {
        let domain = &mut splits[s].domains[d];
        match checked {
            Checked::Image { hash, width, height, bytes } => {
                domain.images += 1;
                domain.bytes += bytes;
                *domain.sizes.entry((width, height)).or_default() += 1;
                by_hash.entry(hash).or_default().push(candidate.relative);
            }
            Checked::Corrupt(reason) => domain.corrupt.push(SkippedImage { path: candidate.path, reason }),
        }
    }
    let mut duplicates: Vec<Vec<String>> = by_hash.into_values().filter(|paths| paths.len() > 1).collect();
    duplicates.sort();
    let problems = problems(&splits);
    Ok(CheckReport { dir: dir.into(), splits, duplicates, problems })
}

fn problems(splits: &[SplitReport]) -> Vec<String> {
    let mut problems = Vec::new();
    if splits.len() < 2 {
        problems.push(format!("{} split folder(s): training needs two, such as train and val", splits.len()));
    }
    let mut names: Vec<&str> = splits.iter().flat_map(|s| s.domains.iter().map(|d| d.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 {
        problems.push(format!("{} domain(s): translation needs at least 2", names.len()));
    }
    for split in splits {
        for name in &names {
            match split.domains.iter().find(|domain| domain.name == *name) {
                None => problems.push(format!("{} lacks the domain {name}", split.name)),
                Some(domain) if domain.images == 0 => {
                    problems.push(format!("{}/{name} has no readable image", split.name));
                }
                Some(_) => {}
            }
        }
    }
    problems
}
