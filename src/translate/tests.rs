//! Layouts and frames with a method that paints what guides it.

use super::alphas::{alphas, window_top};
use super::frames::video;
use super::grid::translate_all;
use super::guides::{self, Condition, Draws, Guide};
use super::inputs::Picture;
use super::output::Still;
use super::sheets::{Layout, strip};
use super::{Model, TranslateError};
use crate::methods::{Batch, Guidance, Losses, Method, Mode, Result};
use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};
use std::collections::HashMap;

const SIDE: u32 = 8;

/// Its output has one grey per image: the code, and 0.25 more per target domain. A code is a latent code as it is, or the
/// mean of a reference.
struct Painter {
    has_codes: bool,
}

impl Method for Painter {
    fn modes(&self) -> Vec<Mode> {
        vec![Mode::Latent, Mode::Reference]
    }

    fn latent_dim(&self) -> usize {
        1
    }

    fn step(&mut self, _: u64, _: &Batch) -> Result<Losses> {
        Ok(Vec::new())
    }

    fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor> {
        assert_eq!((x.dim(0)?, y_src.len()), (y_trg.len(), y_trg.len()));
        let codes = match guidance {
            Guidance::Code(codes) => codes.flatten_all()?.to_vec1::<f32>()?,
            Guidance::Latent(z) => z.flatten_all()?.to_vec1::<f32>()?,
            Guidance::Reference(x) => x.mean((1, 2, 3))?.to_vec1()?,
            Guidance::Label => vec![0.0; y_trg.len()],
        };
        let greys: Vec<f32> = codes.iter().zip(y_trg).map(|(code, domain)| code + 0.25 * *domain as f32).collect();
        let greys = Tensor::from_vec(greys, (y_trg.len(), 1, 1, 1), x.device())?;
        Ok(greys.broadcast_as(x.shape())?.contiguous()?)
    }

    fn codes(&self, y_trg: &[u32], guidance: Guidance) -> Result<Option<Tensor>> {
        if !self.has_codes {
            return Ok(None);
        }
        let codes = match guidance {
            Guidance::Latent(z) => z.clone(),
            Guidance::Reference(x) => x.mean((1, 2, 3))?.unsqueeze(1)?,
            Guidance::Code(code) => code.clone(),
            Guidance::Label => Tensor::zeros((y_trg.len(), 1), candle_core::DType::F32, &Device::Cpu)?,
        };
        assert_eq!(codes.dims(), [y_trg.len(), 1]);
        Ok(Some(codes))
    }

    fn reconstruct(&self, x: &Tensor, _: &Tensor, _: &[u32], _: &[u32]) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn state(&self) -> Result<HashMap<String, Tensor>> {
        Ok(HashMap::new())
    }

    fn load_state(&mut self, _: &HashMap<String, Tensor>) -> Result<()> {
        Ok(())
    }

    fn parameter_counts(&self) -> Vec<(String, usize)> {
        Vec::new()
    }
}

fn model(has_codes: bool) -> Model {
    Model {
        method: Box::new(Painter { has_codes }),
        image_size: SIDE as usize,
        domains: ["cat", "dog", "wild"].map(String::from).to_vec(),
        path: "painter".into(),
        iteration: None,
        device: Device::Cpu,
    }
}

fn picture(name: &str, domain: u32, grey: u8) -> Picture {
    let pixels = RgbImage::from_pixel(SIDE, SIDE, Rgb([grey; 3]));
    Picture { path: name.into(), name: name.into(), domain, pixels }
}

/// The grey of an output for a value in [-1, 1].
fn grey(value: f64) -> u8 {
    (((value + 1.0) / 2.0).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// The value in [-1, 1] of a grey.
fn value(grey: u8) -> f64 {
    (f64::from(grey) / 255.0 - 0.5) / 0.5
}

/// The grey of every tile, which has one only.
fn tiles(picture: &RgbImage) -> Vec<Vec<u8>> {
    let tile = |column: u32, row: u32| {
        let pixels = image::imageops::crop_imm(picture, column * SIDE, row * SIDE, SIDE, SIDE).to_image();
        let first = pixels.get_pixel(0, 0).0[0];
        assert!(pixels.as_raw().iter().all(|&value| value == first), "tile {column} {row}");
        first
    };
    let (columns, rows) = (picture.width() / SIDE, picture.height() / SIDE);
    (0..rows).map(|row| (0..columns).map(|column| tile(column, row)).collect()).collect()
}

fn sheet(model: &Model, sources: &[Picture], guides: &[Guide]) -> RgbImage {
    let layout = Layout::new(sources, guides);
    let mut sheet = layout.begin(model.image_size);
    let place = &mut |source: usize, guide: usize, output: RgbImage| {
        layout.place(&mut sheet, source, guide, &output);
        Ok(())
    };
    translate_all(model, sources, guides, place).unwrap();
    sheet.into_picture()
}

#[test]
fn sheets_of_references_are_the_official_ones() {
    for has_codes in [true, false] {
        let model = model(has_codes);
        let sources = [picture("a", 0, 10), picture("b", 1, 20), picture("c", 1, 30)];
        let references = [picture("r", 0, 51), picture("s", 2, 102)];
        let guides = guides::references(&model, &references).unwrap();
        let (first, second) = (51, grey(value(102) + 0.5));
        let expected = [[255, 10, 20, 30], [51, first, first, first], [102, second, second, second]];
        assert_eq!(tiles(&sheet(&model, &sources, &guides)), expected);
    }
}

#[test]
fn sheets_of_latent_codes_have_a_row_for_each_source() {
    let model = model(true);
    let draws = Draws { count: 2, seed: 1, psi: None };
    let guides = guides::latents(&model, &[0, 2], &draws).unwrap();
    let names: Vec<String> = guides.iter().map(Guide::name).collect();
    assert_eq!(names, ["z1", "z2", "z1", "z2"]);
    let code = |guide: &Guide| match &guide.condition {
        Condition::Code(code) => f64::from(code.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]),
        other => panic!("{other:?}"),
    };
    let codes: Vec<f64> = guides.iter().map(code).collect();
    assert_eq!(codes[..2], codes[2..], "the same codes for every domain");
    assert_ne!(codes[0], codes[1]);
    // f32, as the networks compute.
    let shown = |code: f64, domain: f64| grey(f64::from(code as f32 + 0.25 * domain as f32));
    let row = |own| vec![own, shown(codes[0], 0.0), shown(codes[1], 0.0), shown(codes[0], 2.0), shown(codes[1], 2.0)];
    let sources = [picture("a", 0, 10), picture("b", 1, 20)];
    assert_eq!(tiles(&sheet(&model, &sources, &guides)), [row(10), row(20)]);
}

#[test]
fn truncation_leads_to_the_mean_and_needs_codes() {
    let draws = |psi| Draws { count: 2, seed: 1, psi: Some(psi) };
    let codes = |psi: f64| -> Vec<f32> {
        let guides = guides::latents(&model(true), &[1], &draws(psi)).unwrap();
        let code = |guide: &Guide| match &guide.condition {
            Condition::Code(code) => code.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0],
            other => panic!("{other:?}"),
        };
        guides.iter().map(code).collect()
    };
    let (whole, half, none) = (codes(1.0), codes(0.5), codes(0.0));
    assert_eq!(none[0], none[1]);
    assert!(none[0].abs() < 0.05, "the mean of 10,000 standard normal draws, found {}", none[0]);
    for (whole, half) in whole.iter().zip(half) {
        assert!((half - (whole + none[0]) / 2.0).abs() < 1e-6);
    }
    for psi in [0.5, 1.0] {
        let error = guides::latents(&model(false), &[1], &draws(psi)).unwrap_err();
        assert!(matches!(&error, TranslateError::Usage { option, .. } if *option == format!("--psi {psi}")), "{error}");
    }
    let plain = guides::latents(&model(false), &[1], &Draws { count: 1, seed: 1, psi: None }).unwrap();
    assert!(matches!(plain[0].condition, Condition::Latent(_)));
}

#[test]
fn videos_have_the_official_layout() {
    let model = model(true);
    let sources = [picture("a", 0, 10), picture("b", 0, 20)];
    // Between the second and the third there is nothing, as they are of different domains.
    let references = [picture("p", 0, 0), picture("q", 0, 255), picture("r", 1, 51), picture("s", 1, 102)];
    let guides = guides::references(&model, &references).unwrap();
    let mut frames = Vec::new();
    video(&model, &sources, &guides, &mut |frame, shown| {
        frames.push((frame, shown));
        Ok(())
    })
    .unwrap();
    let alphas = alphas();
    assert_eq!(frames.len(), 2 * alphas.len());
    assert_eq!(frames.iter().map(|(_, shown)| shown).sum::<usize>(), 2 * 31 + 10);
    assert_eq!(frames.last().unwrap().1, 20);

    for (index, (frame, _)) in frames.iter().enumerate() {
        let (pair, alpha) = (index / alphas.len(), alphas[index % alphas.len()].0);
        let (from, to) = [(0u8, 255u8), (51, 102)][pair];
        assert_eq!(frame.dimensions(), (SIDE + 32 + 2 * SIDE, 2 * SIDE));
        let column = |x: u32| (0..2 * SIDE).map(|y| frame.get_pixel(x, y).0[0]).collect::<Vec<_>>();
        let top = window_top(SIDE, alpha);
        let window = |y: u32| match y.checked_sub(top) {
            None => 0,
            Some(y) if y < SIDE => from,
            Some(_) => to,
        };
        assert_eq!(column(SIDE - 1), (0..2 * SIDE).map(window).collect::<Vec<_>>(), "frame {index}");
        assert_eq!(column(SIDE + 31), [0; 2 * SIDE as usize], "the margin is black");
        let code = value(from) * (1.0 - alpha) + value(to) * alpha + 0.25 * pair as f64;
        for (place, own) in [10, 20].into_iter().enumerate() {
            let shown = column(SIDE + 32 + SIDE * place as u32 + 3);
            assert_eq!(shown[..SIDE as usize], [own; SIDE as usize]);
            let output = shown[SIDE as usize];
            assert!(output.abs_diff(grey(code)) <= 1, "frame {index}: {output}, expected {}", grey(code));
        }
    }
}

#[test]
fn strips_show_the_way_from_reference_to_reference() {
    let model = model(true);
    let sources = [picture("a", 0, 10), picture("b", 0, 20)];
    let guides = guides::references(&model, &[picture("p", 0, 0), picture("q", 0, 255)]).unwrap();
    let mut seen = Vec::new();
    let picture = strip(&model, Still::Png, &sources, &guides, &mut |done, all| seen.push((done, all)));
    let tiles = tiles(&picture.unwrap().unwrap());
    assert_eq!((tiles.len(), tiles[0].len()), (2, 3 + alphas().len()));
    for (row, own) in tiles.iter().zip([10, 20]) {
        assert_eq!([row[0], row[1], row[2], row[23], row[24]], [own, 0, 0, 255, 255]);
        assert!(row[2..24].windows(2).all(|pair| pair[0] < pair[1]), "{row:?}");
    }
    assert_eq!((seen[0], seen.len(), seen.last().copied()), ((1, 44), 44, Some((44, 44))));
}

#[test]
fn there_is_nothing_between_references_without_codes() {
    let model = model(false);
    let guides = guides::references(&model, &[picture("p", 0, 0), picture("q", 0, 255)]).unwrap();
    let error = video(&model, &[picture("a", 0, 10)], &guides, &mut |_, _| Ok(())).unwrap_err();
    assert!(error.to_string().starts_with("--interpolate: "), "{error}");
}

#[test]
fn domains_go_by_name_and_then_by_index() {
    let mut model = model(true);
    assert_eq!((model.domain("--domain", "wild").unwrap(), model.domain("--domain", "1").unwrap()), (2, 1));
    let message = model.domain("--domain", "dgo").unwrap_err().to_string();
    let expected = "--domain dgo: no such domain (did you mean `dog`?); the model has 0 cat, 1 dog, 2 wild";
    assert_eq!(message, expected);
    assert!(model.domain("--domain", "3").is_err());
    // Digits of MNIST in another order.
    model.domains = ["2", "0"].map(String::from).to_vec();
    assert_eq!((model.domain("--domain", "0").unwrap(), model.domain("--domain", "1").unwrap()), (1, 1));
}
