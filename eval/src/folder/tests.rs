//! Folders as users have them.

use super::*;
use crate::decode::{DecodeError, Note};
use image::{GrayImage, RgbImage};
use std::fs;
use std::path::Path;

fn write(path: &Path, width: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(width, 3, image::Rgb([width as u8, 1, 2])).save(path).unwrap();
}

/// Seven images of which two are in folders below, two other files, and what does not count.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (width, name) in
        ["b.png", "a.PNG", "c.bmp", "d.jpeg", "e.webp", "sub/f.png", "sub/deeper/g.tif"].iter().enumerate()
    {
        write(&dir.path().join(name), width as u32 + 1);
    }
    for name in ["notes.txt", "sub/data.csv", ".hidden.png", ".git/h.png"] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"text").unwrap();
    }
    dir
}

fn recursive() -> FolderOptions {
    FolderOptions { recursive: true, ..FolderOptions::default() }
}

fn names(folder: &ImageFolder) -> Vec<String> {
    (0..folder.len()).map(|index| folder.name(index)).collect()
}

#[test]
fn images_are_listed_in_order() {
    let dir = folder();
    let flat = ImageFolder::open(dir.path(), &FolderOptions::default()).unwrap();
    assert_eq!(names(&flat), ["a.PNG", "b.png", "c.bmp", "d.jpeg", "e.webp"]);
    assert_eq!(flat.others(), &OtherFiles { count: 1, first: vec!["notes.txt".into()] });
    let deep = ImageFolder::open(dir.path(), &recursive()).unwrap();
    assert_eq!(names(&deep)[5..], ["sub/deeper/g.tif", "sub/f.png"]);
    assert_eq!(deep.others().first, ["notes.txt", "sub/data.csv"]);
}

#[test]
fn the_fingerprint_is_of_names_and_contents() {
    let (one, other) = (folder(), folder());
    let fingerprint = |dir: &tempfile::TempDir| {
        ImageFolder::open(dir.path(), &FolderOptions::default()).unwrap().fingerprint().unwrap()
    };
    let base = fingerprint(&one);
    assert_eq!(base.len(), 64);
    assert_eq!(base, fingerprint(&other), "elsewhere, the same");
    fs::write(other.path().join("more.txt"), b"text").unwrap();
    assert_eq!(base, fingerprint(&other), "other files do not count");
    fs::rename(other.path().join("a.PNG"), other.path().join("aa.png")).unwrap();
    assert_ne!(base, fingerprint(&other));
    write(&one.path().join("b.png"), 9);
    assert_ne!(base, fingerprint(&one));
}

#[test]
fn batches_are_in_order_whatever_the_threads() {
    let dir = folder();
    let folder = ImageFolder::open(dir.path(), &recursive()).unwrap();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for batch in [0, 1, 3, 7, 100] {
            // Within the pool, where a waiting thread is one fewer to decode.
            let (sizes, images, summary) = pool.install(|| {
                let mut batches = folder.batches(batch);
                let got: Vec<Vec<FolderImage>> = batches.by_ref().map(Result::unwrap).collect();
                let sizes: Vec<usize> = got.iter().map(Vec::len).collect();
                (sizes, got.concat(), batches.summary().clone())
            });
            let batch = batch.max(1);
            assert!(sizes[..sizes.len() - 1].iter().all(|&size| size == batch) && sizes[sizes.len() - 1] <= batch);
            assert_eq!(images.iter().map(|image| image.index).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
            assert_eq!(images.iter().map(|image| image.name.clone()).collect::<Vec<_>>(), names(&folder));
            assert_eq!(images.iter().map(|image| image.pixels.width()).collect::<Vec<_>>(), [2, 1, 3, 4, 5, 7, 6]);
            assert_eq!((summary.decoded, summary.skipped.len()), (7, 0));
        }
    }
}

#[test]
fn no_more_than_a_batch_is_read_ahead() {
    let dir = tempfile::tempdir().unwrap();
    (0..40).for_each(|index| write(&dir.path().join(format!("{index:02}.png")), 1));
    let folder = ImageFolder::open(dir.path(), &FolderOptions::default()).unwrap();
    let mut batches = folder.batches(4);
    batches.next().unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    // What is not read yet can still be broken; what is, cannot.
    (8..40).for_each(|index| fs::write(dir.path().join(format!("{index:02}.png")), b"broken").unwrap());
    batches.next().unwrap().unwrap();
    assert!(matches!(batches.next(), Some(Err(FolderError::Undecodable { path, .. })) if path.ends_with("08.png")));
    assert!(batches.next().is_none(), "nothing after an error");
}

#[test]
fn a_file_that_cannot_be_decoded_is_an_error_or_counted() {
    let dir = folder();
    fs::write(dir.path().join("c2.png"), b"not an image").unwrap();
    fs::write(dir.path().join("zero.jpg"), b"").unwrap();
    GrayImage::new(2, 2).save(dir.path().join("grey.png")).unwrap();
    let folder = ImageFolder::open(dir.path(), &FolderOptions::default()).unwrap();
    let error = folder.batches(100).find_map(Result::err).unwrap().to_string();
    assert!(error.contains("c2.png: this is no image") && error.ends_with("choose to skip such files"), "{error}");

    let options = FolderOptions { on_undecodable: OnUndecodable::Skip, ..FolderOptions::default() };
    let folder = ImageFolder::open(dir.path(), &options).unwrap();
    let mut batches = folder.batches(4);
    let sizes: Vec<usize> = batches.by_ref().map(|batch| batch.unwrap().len()).collect();
    assert_eq!(sizes, [4, 2], "batches are filled up");
    let summary = batches.summary();
    assert_eq!(summary.decoded, 6);
    assert_eq!(summary.notes.iter().collect::<Vec<_>>(), [(Note::Greyscale, 1)]);
    let skipped: Vec<&str> = summary.skipped.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(skipped, ["c2.png", "zero.jpg"]);
    assert_eq!(summary.skipped[1].1, DecodeError::Empty);
}

#[test]
fn nothing_decodable_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), b"text").unwrap();
    fs::write(dir.path().join("b.png"), b"text").unwrap();
    let options = FolderOptions { on_undecodable: OnUndecodable::Skip, ..FolderOptions::default() };
    let folder = ImageFolder::open(dir.path(), &options).unwrap();
    let mut batches = folder.batches(1);
    let error = batches.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("none of the 2 images can be decoded, the first (a.png): this is no image"), "{error}");
    assert!(batches.next().is_none());
}

#[test]
fn one_image_is_fine_and_a_png_may_be_called_jpg() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("only.png"), 5);
    fs::rename(dir.path().join("only.png"), dir.path().join("only.JPG")).unwrap();
    let folder = ImageFolder::open(dir.path(), &FolderOptions::default()).unwrap();
    let images = folder.batches(8).next().unwrap().unwrap();
    assert_eq!((images.len(), images[0].pixels.dimensions()), (1, (5, 3)));
}

#[test]
fn what_is_no_folder_of_images_is_named_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &Path| ImageFolder::open(path, &FolderOptions::default()).unwrap_err().to_string();
    let message = error(&dir.path().join("absent"));
    assert!(message.contains("absent: no such folder"), "{message}");
    let file = dir.path().join("file.txt");
    fs::write(&file, b"text").unwrap();
    assert!(error(&file).contains("file.txt: not a folder"));
    write(&dir.path().join("sub/a.png"), 2);
    let message = error(dir.path());
    assert!(
        message.contains("no image (bmp, gif, jpeg") && message.contains("1 other file(s) (file.txt)"),
        "{message}"
    );
    assert!(message.contains("recursively"), "{message}");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let message = ImageFolder::open(&empty, &recursive()).unwrap_err().to_string();
    assert!(message.ends_with("webp); put images there or name another folder"), "{message}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let dir = folder();
    symlink(dir.path(), dir.path().join("sub/circle")).unwrap();
    symlink(dir.path().join("b.png"), dir.path().join("z.png")).unwrap();
    let other = folder();
    symlink(other.path().join("sub"), dir.path().join("elsewhere")).unwrap();
    let folder = ImageFolder::open(dir.path(), &recursive()).unwrap();
    assert_eq!(folder.len(), 7 + 1 + 2);
    symlink(dir.path().join("gone.png"), dir.path().join("dangling.png")).unwrap();
    let folder = ImageFolder::open(dir.path(), &recursive()).unwrap();
    let error = folder.batches(100).find_map(Result::err).unwrap().to_string();
    assert!(error.contains("dangling.png: cannot be read"), "{error}");
    assert!(folder.fingerprint().unwrap_err().to_string().contains("dangling.png"));
}

#[test]
fn too_deep_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let deep = (0..70).fold(dir.path().to_path_buf(), |path, _| path.join("d"));
    fs::create_dir_all(&deep).unwrap();
    let error = ImageFolder::open(dir.path(), &recursive()).unwrap_err();
    assert!(matches!(error, FolderError::TooDeep { limit: 64, .. }), "{error}");
}
