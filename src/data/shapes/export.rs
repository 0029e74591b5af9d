//! `shapes` as a folder of PNG files.

use super::Factors;
use crate::data::{DataError, DataSet, OpenOptions, Split};
use crate::experiment::settings::{DataSource, Dataset};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// One image of `factors.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFactors {
    /// Path below the folder.
    pub file: String,
    /// `train` or `val`.
    pub split: String,
    /// Name of the domain.
    pub domain: String,
    /// Number of the image within split and domain.
    pub index: usize,
    /// What the image shows.
    pub factors: Factors,
}

/// What [`make_shapes`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapesExport {
    /// The folder.
    pub dir: PathBuf,
    /// Number of images.
    pub images: usize,
    /// Side of the images in pixels.
    pub image_size: usize,
    /// Names of the domains.
    pub domains: Vec<String>,
}

/// Writes the `shapes` set that `spec` describes as `dir/{train,val}/DOMAIN/NNNNN.png` and their true factors as
/// `dir/factors.json`. The folder appears only when it is complete; one that has content is refused.
pub fn make_shapes(dir: &Path, spec: &Dataset, image_size: usize) -> Result<ShapesExport, DataError> {
    use rayon::prelude::*;
    if dir.exists() && fs::read_dir(dir).map_err(DataError::io(dir))?.next().is_some() {
        return Err(DataError::TargetNotEmpty { path: dir.into() });
    }
    let spec = Dataset { source: DataSource::Shapes, ..spec.clone() };
    let data = DataSet::open(&spec, &OpenOptions { strict: true, image_size, cache_dir: None })?;
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(DataError::io(parent))?;
    let building = tempfile::Builder::new().prefix(".shapes-").tempdir_in(parent).map_err(DataError::io(parent))?;

    let mut entries = Vec::new();
    for split in Split::ALL {
        for (domain, name) in data.domains().iter().enumerate() {
            let folder = building.path().join(split.name()).join(name);
            fs::create_dir_all(&folder).map_err(DataError::io(folder))?;
            entries.extend((0..data.len(split, domain)).map(|index| (split, domain, index)));
        }
    }
    let factors: Vec<ImageFactors> = entries
        .into_par_iter()
        .map(|(split, domain, index)| {
            let file = data.name(split, domain, index);
            let path = building.path().join(&file);
            let what = || format!("writing {file}");
            data.image(split, domain, index)?
                .save(&path)
                .map_err(|error| DataError::Internal { what: what(), problem: error.to_string() })?;
            let factors = data
                .factors(split, domain, index)
                .ok_or_else(|| DataError::Internal { what: what(), problem: "no factors".into() })?;
            let (split, domain) = (split.name().into(), data.domains()[domain].clone());
            Ok(ImageFactors { file, split, domain, index, factors })
        })
        .collect::<Result<_, DataError>>()?;
    let path = building.path().join("factors.json");
    let json = serde_json::to_vec_pretty(&factors)
        .map_err(|error| DataError::Internal { what: "factors.json".into(), problem: error.to_string() })?;
    fs::write(&path, json).map_err(DataError::io(&path))?;

    make_readable(building.path());
    fs::rename(building.path(), dir).map_err(DataError::io(dir))?;
    Ok(ShapesExport { dir: dir.into(), images: factors.len(), image_size, domains: data.domains().to_vec() })
}

/// Temporary folders are private to their owner; the result is to be as readable as any other folder.
fn make_readable(dir: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Failing leaves the folder private, which is no reason to lose it.
        let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o755));
    }
    #[cfg(not(unix))]
    let _ = dir;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_the_set_it_was_made_from() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("shapes");
        let spec = Dataset { train_per_domain: 3, val_per_domain: 2, ..Dataset::default() };
        let export = make_shapes(&dir, &spec, 16).unwrap();
        assert_eq!((export.images, export.domains.len()), (15, 3));
        assert!(matches!(make_shapes(&dir, &spec, 16), Err(DataError::TargetNotEmpty { .. })));
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1, "nothing temporary is left");

        let options = OpenOptions { strict: true, image_size: 16, cache_dir: Some(temporary.path().join("cache")) };
        let folder = Dataset { root: Some(dir.clone()), ..Dataset::default() };
        let folder = DataSet::open(&folder, &options).unwrap();
        let drawn = DataSet::open(&Dataset { source: DataSource::Shapes, ..spec }, &options).unwrap();
        assert_eq!(folder.domains(), drawn.domains());
        let factors: Vec<ImageFactors> = serde_json::from_slice(&fs::read(dir.join("factors.json")).unwrap()).unwrap();
        for split in Split::ALL {
            for domain in 0..3 {
                assert_eq!(folder.len(split, domain), drawn.len(split, domain));
                for index in 0..folder.len(split, domain) {
                    assert_eq!(folder.image(split, domain, index).unwrap(), drawn.image(split, domain, index).unwrap());
                    let name = folder.name(split, domain, index);
                    assert_eq!(name, drawn.name(split, domain, index));
                    let entry = factors.iter().find(|entry| entry.file == name).unwrap();
                    assert_eq!(entry.factors.shape.name(), folder.domains()[domain]);
                }
            }
        }
    }
}
