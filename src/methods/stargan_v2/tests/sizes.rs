//! All image sizes, with and without high-pass skips.

use super::super::StarganV2;
use super::super::discriminator::discriminator;
use super::super::landmarks::LandmarkNetwork;
use super::super::{Generator, GeneratorConfig, StyleEncoder, TrunkConfig};
use super::spec;
use crate::experiment::settings::{DiscriminatorHead, InitScheme, Settings};
use crate::methods::{Guidance, Method};
use candle_core::{DType, Device};
use harness_ops::Declaration;
use harness_ops::random::Key;

fn count(declarations: &[Declaration]) -> usize {
    declarations.iter().map(|declaration| declaration.shape.iter().product::<usize>()).sum()
}

fn generator(image_size: usize, w_hpf: f64) -> usize {
    let base_channels = (1 << 14) / image_size;
    let config = GeneratorConfig { image_size, style_dim: 64, base_channels, max_channels: 512, w_hpf };
    count(&Generator::new(config).declarations(InitScheme::He))
}

/// Parameters of the official code's constructors, for two domains: generator with and without skips, style encoder,
/// discriminator. Those of 256 px are in its users' logs too.
const OFFICIAL: [(usize, [usize; 4]); 5] = [
    (64, [42_209_283, 32_634_883, 20_327_808, 20_263_170]),
    (128, [43_206_403, 33_632_003, 20_799_744, 20_735_106]),
    (256, [43_467_395, 33_892_995, 20_916_928, 20_852_290]),
    (512, [43_538_499, 33_964_099, 20_945_824, 20_881_186]),
    (1024, [43_559_203, 33_984_803, 20_952_848, 20_888_210]),
];

#[test]
fn official_counts_at_all_sizes() {
    for (image_size, official) in OFFICIAL {
        let trunk = TrunkConfig { image_size, base_channels: (1 << 14) / image_size, max_channels: 512 };
        let style_encoder = StyleEncoder::new(trunk, 64, 2).declarations(InitScheme::He);
        let discriminator = discriminator(trunk, DiscriminatorHead::MultiTask, 2).declarations(InitScheme::He);
        let ours =
            [generator(image_size, 1.0), generator(image_size, 0.0), count(&style_encoder), count(&discriminator)];
        assert_eq!(ours, official, "{image_size} px");
    }
}

/// Narrow networks, so that the largest size is quick: depths and skips are those of the official widths.
#[test]
fn every_size_translates() {
    for image_size in [64, 128, 256, 512, 1024] {
        for w_hpf in [0.0, 1.0] {
            let mut settings = Settings::default();
            settings.train.image_size = image_size;
            settings.generator.base_channels = Some(2);
            settings.generator.max_channels = 4;
            settings.generator.w_hpf = w_hpf;
            settings.discriminator.base_channels = Some(2);
            settings.discriminator.max_channels = 4;
            let model = StarganV2::new(&spec(settings), 2, DType::F32, &Device::Cpu).unwrap();
            let model = match w_hpf {
                0.0 => model,
                _ => model.with_landmarks(LandmarkNetwork::random(1, DType::F32, &Device::Cpu).unwrap()),
            };
            let draw = |shape: &[usize]| Key::new(1, "size").normal(0, shape, DType::F32, &Device::Cpu).unwrap();
            let x = draw(&[1, 3, image_size, image_size]);
            let y = model.translate(&x, &[0], &[1], Guidance::Latent(&draw(&[1, 16]))).unwrap();
            assert_eq!(y.dims(), x.dims());
            let sum = y.sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(sum.is_finite(), "{image_size} px, w_hpf {w_hpf}");
        }
    }
}
