//! Data sets as a user meets them: good folders, broken folders, real photographs.

use super::*;
use crate::experiment::settings::{DataSource, Dataset, Draws, Sampling};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::Instant;

pub(super) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, (x + y) as u8]))
}

/// A folder with `counts` images in train and val of the domains ant and bee; every image is different.
fn folder(counts: [[usize; 2]; 2]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut width = 8;
    for (split, counts) in ["train", "val"].into_iter().zip(counts) {
        for (domain, count) in ["ant", "bee"].into_iter().zip(counts) {
            let folder = dir.path().join("set").join(split).join(domain);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..count {
                width += 1;
                let (name, format) = match index % 3 {
                    0 => (format!("{index}.png"), ImageFormat::Png),
                    1 => (format!("{index}.JPG"), ImageFormat::Jpeg),
                    _ => (format!("{index}.jpeg"), ImageFormat::Jpeg),
                };
                fs::write(folder.join(name), encoded(gradient(width, 12), format)).unwrap();
            }
        }
    }
    dir
}

fn spec(dir: &tempfile::TempDir) -> Dataset {
    Dataset { root: Some(dir.path().join("set")), ..Dataset::default() }
}

fn options(dir: &tempfile::TempDir) -> OpenOptions {
    OpenOptions { strict: false, image_size: 32, cache_dir: Some(dir.path().join("cache")) }
}

fn error(dir: &tempfile::TempDir, spec: &Dataset) -> String {
    DataSet::open(spec, &options(dir)).unwrap_err().to_string()
}

#[test]
fn a_folder_is_opened() {
    let dir = folder([[4, 2], [1, 3]]);
    let nested = dir.path().join("set/train/ant/more");
    fs::create_dir_all(&nested).unwrap();
    fs::write(nested.join("x.png"), encoded(gradient(60, 40), ImageFormat::Png)).unwrap();
    for ignored in ["notes.txt", ".hidden.png", "more/.DS_Store"] {
        fs::write(dir.path().join("set/train/ant").join(ignored), b"text").unwrap();
    }
    fs::write(dir.path().join("set/factors.json"), b"{}").unwrap();
    let data = DataSet::open(&spec(&dir), &options(&dir)).unwrap();
    assert_eq!(data.domains(), ["ant", "bee"]);
    assert_eq!([0, 1].map(|d| data.len(Split::Train, d)), [5, 2]);
    assert_eq!([0, 1].map(|d| data.len(Split::Val, d)), [1, 3]);
    let names: Vec<String> = (0..5).map(|i| data.name(Split::Train, 0, i)).collect();
    let expected = ["0.png", "1.JPG", "2.jpeg", "3.png", "more/x.png"].map(|name| format!("train/ant/{name}"));
    assert_eq!(names, expected);
    assert_eq!(data.image(Split::Train, 0, 4).unwrap(), gradient(60, 40));
    assert!(data.warnings().is_empty(), "{:?}", data.warnings());
    assert!(matches!(data.image(Split::Train, 0, 5), Err(DataError::NoSuchImage { .. })));
    assert!(data.image(Split::Val, 2, 0).is_err());
    assert_eq!(load(&data, Split::Train, 0, &[4, 0], 16).unwrap().dims(), [2, 3, 16, 16]);
}

#[test]
fn the_fingerprint_is_of_content_and_order() {
    let (one, other) = (folder([[2, 2], [1, 1]]), folder([[2, 2], [1, 1]]));
    let fingerprint =
        |dir: &tempfile::TempDir, spec: &Dataset| DataSet::open(spec, &options(dir)).unwrap().fingerprint().to_owned();
    let base = fingerprint(&one, &spec(&one));
    assert_eq!(base.len(), 64);
    assert_eq!(base, fingerprint(&other, &spec(&other)), "elsewhere, the same");
    let swapped = Dataset { domains: Some(vec!["bee".into(), "ant".into()]), ..spec(&one) };
    assert_ne!(base, fingerprint(&one, &swapped), "labels change");
    fs::write(other.path().join("set/train/ant/9.png"), b"not an image").unwrap();
    assert_eq!(base, fingerprint(&other, &spec(&other)), "unreadable files do not count");
    fs::write(other.path().join("set/train/ant/9.png"), encoded(gradient(5, 5), ImageFormat::Png)).unwrap();
    assert_ne!(base, fingerprint(&other, &spec(&other)));
}

#[test]
fn corrupt_images_are_counted_and_named_or_an_error() {
    let dir = folder([[4, 2], [1, 3]]);
    let bad = dir.path().join("set/train/bee/0.png");
    let bytes = fs::read(&bad).unwrap();
    fs::write(&bad, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(dir.path().join("set/train/bee/zero.jpg"), b"").unwrap();
    for _ in 0..2 {
        // The second time from what was remembered.
        let data = DataSet::open(&spec(&dir), &options(&dir)).unwrap();
        assert_eq!(data.len(Split::Train, 1), 1);
        assert_eq!(data.skipped().len(), 2);
        let [warning] = data.warnings() else { panic!("{:?}", data.warnings()) };
        assert!(warning.contains("2 of 3") && warning.contains("0.png") && warning.contains("file is empty"));
    }
    let strict = OpenOptions { strict: true, ..options(&dir) };
    let message = DataSet::open(&spec(&dir), &strict).unwrap_err().to_string();
    assert!(message.contains("2 image(s)") && message.contains("zero.jpg"), "{message}");
    // A repaired file is looked at again.
    fs::write(&bad, bytes).unwrap();
    assert_eq!(DataSet::open(&spec(&dir), &options(&dir)).unwrap().skipped().len(), 1);
    fs::remove_file(&bad).unwrap();
    fs::remove_file(dir.path().join("set/train/bee/1.JPG")).unwrap();
    let message = error(&dir, &spec(&dir));
    assert!(message.contains("bee") && message.contains("1 could not be decoded"), "{message}");
}

#[test]
fn broken_folders_are_named_with_advice() {
    let dir = folder([[1, 1], [1, 1]]);
    let good = spec(&dir);
    let set = dir.path().join("set");
    assert!(error(&dir, &Dataset { root: None, ..good.clone() }).contains("set `root`"));
    let message = error(&dir, &Dataset { root: Some(dir.path().join("nowhere")), ..good.clone() });
    assert!(message.contains("nowhere") && message.contains("`root`"), "{message}");
    let message = error(&dir, &Dataset { train: "ref".into(), ..good.clone() });
    assert!(message.contains("ref") && message.contains("train, val") && message.contains("`train`"), "{message}");

    let domains =
        |names: &[&str]| Dataset { domains: Some(names.iter().map(|n| n.to_string()).collect()), ..good.clone() };
    assert!(error(&dir, &domains(&["ant", "cow"])).contains("`cow` is not in"));
    assert!(error(&dir, &domains(&["ant", "ant"])).contains("twice"));
    assert!(error(&dir, &domains(&["ant"])).contains("at least 2"));

    fs::create_dir(set.join("val/cow")).unwrap();
    let message = error(&dir, &good);
    assert!(
        message.contains(&format!("train{}cow", std::path::MAIN_SEPARATOR)) && message.contains("`domains`"),
        "{message}"
    );
    DataSet::open(&domains(&["ant", "bee"]), &options(&dir)).unwrap();
    fs::create_dir(set.join("train/cow")).unwrap();
    assert!(error(&dir, &good).contains("no readable image"));
    for split in ["train", "val"] {
        fs::remove_dir(set.join(split).join("cow")).unwrap();
        fs::remove_dir_all(set.join(split).join("bee")).unwrap();
    }
    assert!(error(&dir, &good).contains("found 1 domain"));
}

#[test]
fn validation_images_that_are_trained_with_are_reported() {
    let dir = folder([[2, 2], [1, 1]]);
    let set = dir.path().join("set");
    fs::copy(set.join("train/ant/1.JPG"), set.join("val/bee/copy.JPG")).unwrap();
    let data = DataSet::open(&spec(&dir), &options(&dir)).unwrap();
    assert!(data.warnings()[0].contains("1 validation image(s)") && data.warnings()[0].contains("val/bee/copy.JPG"));
    let report = check(&set, Some(&dir.path().join("cache"))).unwrap();
    assert_eq!(report.duplicates, [vec!["train/ant/1.JPG".to_string(), "val/bee/copy.JPG".into()]]);
}

#[test]
fn a_second_opening_reads_no_image() {
    let dir = folder([[3, 3], [1, 1]]);
    let first = DataSet::open(&spec(&dir), &options(&dir)).unwrap();
    // Other bytes with the same length and time stamp: only reading would show the difference.
    let file = dir.path().join("set/train/ant/0.png");
    let (len, modified) = (fs::metadata(&file).unwrap().len(), fs::metadata(&file).unwrap().modified().unwrap());
    fs::write(&file, vec![0u8; len as usize]).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    let second = DataSet::open(&spec(&dir), &options(&dir)).unwrap();
    assert_eq!(first.fingerprint(), second.fingerprint());
    let elsewhere = OpenOptions { cache_dir: Some(dir.path().join("other cache")), ..options(&dir) };
    assert_ne!(first.fingerprint(), DataSet::open(&spec(&dir), &elsewhere).unwrap().fingerprint());
    // A cache that cannot be written is no reason to fail.
    let unwritable = OpenOptions { cache_dir: Some(dir.path().join("set/train/bee/0.png")), ..options(&dir) };
    let data = DataSet::open(&spec(&dir), &unwritable).unwrap();
    assert!(data.warnings().iter().any(|w| w.contains("checked again")), "{:?}", data.warnings());
}

#[test]
fn a_check_summarises() {
    let dir = folder([[4, 2], [1, 3]]);
    fs::write(dir.path().join("set/train/ant/bad.png"), b"bad").unwrap();
    fs::create_dir(dir.path().join("set/val/cow")).unwrap();
    let report = check(&dir.path().join("set"), Some(&dir.path().join("cache"))).unwrap();
    let ant = &report.splits[0].domains[0];
    assert_eq!((ant.name.as_str(), ant.images, ant.corrupt.len()), ("ant", 4, 1));
    assert_eq!(ant.sizes.iter().map(|(size, count)| (*size, *count)).next(), Some(((9, 12), 1)));
    assert!(report.problems.iter().any(|p| p == "train lacks the domain cow"));
    assert!(report.problems.iter().any(|p| p == "val/cow has no readable image"));
    assert!(check(&dir.path().join("nowhere"), None).is_err());
}

#[test]
fn shapes_are_opened_without_any_file() {
    let spec = Dataset { source: DataSource::Shapes, train_per_domain: 5, val_per_domain: 2, ..Dataset::default() };
    let open =
        |spec: &Dataset, image_size| DataSet::open(spec, &OpenOptions { strict: true, image_size, cache_dir: None });
    let data = open(&spec, 32).unwrap();
    assert_eq!(data.domains(), ["disc", "square", "triangle"]);
    assert_eq!((data.len(Split::Train, 2), data.len(Split::Val, 0)), (5, 2));
    assert_eq!(data.image(Split::Val, 1, 1).unwrap().dimensions(), (32, 32));
    assert_eq!(data.factors(Split::Val, 1, 1).unwrap().shape, shapes::Shape::Square);
    assert_eq!(data.factors(Split::Val, 1, 2), None);
    assert_eq!(data.fingerprint(), open(&spec, 64).unwrap().fingerprint());
    assert_ne!(data.fingerprint(), open(&Dataset { seed: 1, ..spec.clone() }, 32).unwrap().fingerprint());
    let message = open(&Dataset { val_per_domain: 0, ..spec.clone() }, 32).unwrap_err().to_string();
    assert!(message.contains("val_per_domain"), "{message}");
    assert!(open(&spec, 0).is_err());
}

fn afhq() -> Option<PathBuf> {
    let shared = std::env::var_os("HARNESS_SHARED_DIR").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let afhq = shared.join("images/afhq");
    if !afhq.is_dir() {
        eprintln!("skipped: no {}", afhq.display());
        return None;
    }
    Some(afhq)
}

#[test]
fn real_photographs() {
    let Some(root) = afhq() else { return };
    let cache = tempfile::tempdir().unwrap();
    let spec = Dataset { root: Some(root), train: "ref".into(), val: "src".into(), ..Dataset::default() };
    let options = OpenOptions { strict: true, image_size: 64, cache_dir: Some(cache.path().into()) };
    let data = DataSet::open(&spec, &options).unwrap();
    assert_eq!(data.domains(), ["cat", "dog", "wild"]);
    assert_eq!([0, 1, 2].map(|d| data.len(Split::Train, d)), [10, 8, 10]);
    assert_eq!([0, 1, 2].map(|d| data.len(Split::Val, d)), [5, 5, 5]);
    assert!(data.warnings()[0].contains("2 validation image(s)"), "two dogs are in both folders");
    let start = Instant::now();
    assert_eq!(DataSet::open(&spec, &options).unwrap().fingerprint(), data.fingerprint());
    assert!(start.elapsed().as_millis() < 100, "known files are not decoded: {:?}", start.elapsed());

    let batch = TrainLoader::new(
        data.into(),
        LoaderOptions {
            image_size: 64,
            batch_size: 4,
            draws: Draws::Mixed(Sampling::Balanced),
            augment: Default::default(),
            seed: 1,
            workers: 2,
            prefetch: 2,
            start_iteration: 0,
        },
    )
    .unwrap()
    .next()
    .unwrap();
    assert_eq!(batch.references().unwrap().x2.dims(), [4, 3, 64, 64]);
}

/// `HARNESS_SHEET=FILE.png cargo test --release --lib shapes_sheet -- --ignored` draws a contact sheet: per domain a
/// row at 64 and one at 32 pixels, enlarged fourfold and eightfold, then the first row's poses in other styles.
#[test]
#[ignore = "draws a picture to look at"]
fn shapes_sheet() {
    use image::imageops::{FilterType, replace, resize};
    let file = std::env::var("HARNESS_SHEET").expect("HARNESS_SHEET names the picture");
    let (columns, cell) = (10, 256i64);
    let mut sheet = RgbImage::new(columns as u32 * 256, 9 * 256);
    for (d, shape) in shapes::Shape::ALL.into_iter().enumerate() {
        for column in 0..columns {
            let factors = shapes::Factors::draw(2020, Split::Train, shape, column);
            let content = shapes::Factors::draw(2020, Split::Train, shapes::Shape::Disc, column).content;
            for (row, factors, size) in
                [(2 * d, factors, 64), (2 * d + 1, factors, 32), (6 + d, shapes::Factors { content, ..factors }, 64)]
            {
                let large = resize(&shapes::render(&factors, size), 256, 256, FilterType::Nearest);
                replace(&mut sheet, &large, column as i64 * cell, row as i64 * cell);
            }
        }
    }
    sheet.save(file).unwrap();
}
