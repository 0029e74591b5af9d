//! Archives that NumPy wrote (`fixtures/make.py`), and our own.

#![allow(clippy::unwrap_used)]

mod common;

use common::fixture;
use harness_tensorfiles::npz::Statistics;
use std::io::Write;
use zip::write::SimpleFileOptions;

#[test]
fn archives_of_numpy() {
    let double = Statistics::read(&fixture("double.npz")).unwrap();
    assert_eq!((double.dimension(), &double.mean[..]), (2, &[1.0, -2.0][..]));
    assert_eq!(double.covariance, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!((double.count, &double.protocol), (None, &None));
    // Deflated, 32 bits, columns first, with the entries of our own.
    let single = Statistics::read(&fixture("single_fortran.npz")).unwrap();
    assert_eq!(single, Statistics { count: Some(50), protocol: Some("fid \u{e9}".into()), ..double });
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("real.npz");
    for protocol in [None, Some(String::new()), Some("fid/2048/\u{e9}\u{1d11e}".to_owned())] {
        let count = protocol.is_some().then_some(1 << 40);
        let covariance = (0..9).map(|k| f64::from(k) / 7.0).collect();
        let statistics = Statistics { mean: vec![0.1, -1e-300, 3e8], covariance, count, protocol };
        statistics.write(&path).unwrap();
        assert_eq!(Statistics::read(&path).unwrap(), statistics);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_wrong_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("real.npz");
    let good = Statistics { mean: vec![1.0], covariance: vec![1.0], count: None, protocol: None };
    for wrong in [
        Statistics { mean: vec![], ..good.clone() },
        Statistics { covariance: vec![1.0; 2], ..good.clone() },
        Statistics { covariance: vec![f64::NAN], ..good.clone() },
    ] {
        wrong.write(&path).unwrap_err();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let message = good.write(&folder.path().join("missing/real.npz")).unwrap_err().to_string();
    assert!(message.contains("missing/real.npz: cannot be written"), "{message}");
}

/// Name, header and data.
type Array<'a> = (&'a str, &'a str, &'a [u8]);

fn archive(arrays: &[Array]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, header, data) in arrays {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(*name, options).unwrap();
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_array_is_named() {
    let header =
        |descr: &str, shape: &str| format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let (one, two) = ([0u8; 8], [0u8; 16]);
    let vector = header("<f8", "(2,)");
    let nan = [0f64.to_le_bytes(), f64::NAN.to_le_bytes()].concat();
    let cases: [(&[Array], &str); 7] = [
        (&[("other.npy", &vector, &two)], "there is no array `mu`; the archive holds `other.npy`"),
        (&[("mu.npy", &header("<f8", "(1, 2)"), &two)], "mu.npy: has shape [1, 2], (d) is needed"),
        (&[("mu.npy", &vector, &one)], "mu.npy: holds 8 bytes, which are not those of shape [2]"),
        (&[("mu.npy", &header("<i8", "(2,)"), &two)], "mu.npy: has elements of type `<i8`"),
        (&[("mu.npy", &vector, &nan)], "mu.npy: element 1 is NaN, which is not finite"),
        (
            &[("mu.npy", &vector, &two), ("sigma.npy", &vector, &two)],
            "sigma.npy: has shape [2], (2, 2), as `mu` has 2 elements is needed",
        ),
        (&[("mu.npy", &header("<f8", "(0,)"), &[])], "mu.npy: has shape [0], (d) is needed"),
    ];
    for (arrays, expected) in cases {
        let message = Statistics::read_bytes(&archive(arrays)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_is_no_archive() {
    let message = Statistics::read(&fixture("state.legacy.pt")).unwrap_err().to_string();
    assert!(message.ends_with("state.legacy.pt: is no archive of NumPy (.npz)"), "{message}");
}
