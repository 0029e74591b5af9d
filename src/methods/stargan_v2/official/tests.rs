//! Checkpoints in the official layout, made by the naming rule of the reference numbers.

use super::architecture::Shapes;
use super::declared::{compare, declared};
use super::{Architecture, Checkpoint, Contents, DISCRIMINATOR, TRANSLATING, Widths};
use crate::methods::golden::{self, ForwardCase};
use crate::methods::{Guidance, Method};
use candle_core::{DType, Device, Tensor};
use harness_tensorfiles::pytorch::{self, Container, Dtype, Object};

fn architecture(image_size: usize, base: usize, max: usize, domains: usize, w_hpf: f64) -> Architecture {
    let widths = Widths { base, max };
    Architecture {
        image_size,
        domains,
        w_hpf,
        widths,
        discriminator: Some(widths),
        style_dim: 64,
        latent_dim: 16,
        hidden_dim: 512,
    }
}

/// Names and shapes of a network.
type Owned = Vec<(String, Vec<usize>)>;

fn tensors(architecture: &Architecture, network: &str) -> Owned {
    let declarations = declared(architecture, network);
    declarations.into_iter().map(|declaration| (declaration.name, declaration.shape)).collect()
}

fn shapes(tensors: &Owned) -> Shapes<'_> {
    tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect()
}

/// What is inferred from the networks of `architecture`, after `change` to one of them.
fn inferred(architecture: &Architecture, change: impl Fn(&str, &mut Owned)) -> Result<Architecture, String> {
    let owned: Vec<Owned> = TRANSLATING
        .into_iter()
        .chain([DISCRIMINATOR])
        .map(|network| {
            let mut tensors = tensors(architecture, network);
            change(network, &mut tensors);
            tensors
        })
        .collect();
    let all: Vec<Shapes> = owned.iter().map(shapes).collect();
    let filter = (architecture.w_hpf > 0.0).then_some(architecture.w_hpf);
    let found = Architecture::infer([&all[0], &all[1], &all[2]], Some(&all[3]), filter)?;
    for (network, shapes) in TRANSLATING.into_iter().chain([DISCRIMINATOR]).zip(&all) {
        compare(&found, network, shapes)?;
    }
    Ok(found)
}

#[test]
fn sizes_follow_from_shapes() {
    for (image_size, base, max) in
        [(16, 8, 32), (64, 256, 512), (256, 64, 512), (1024, 16, 512), (64, 16, 64), (32, 4, 32)]
    {
        for domains in [1, 2, 5] {
            for w_hpf in [0.0, 1.0, 0.5] {
                let expected = architecture(image_size, base, max, domains, w_hpf);
                assert_eq!(inferred(&expected, |_, _| {}).unwrap(), expected);
            }
        }
    }
    // Channels that never reach their limit: any limit no lower would give the same networks.
    let found = inferred(&architecture(64, 4, 512, 2, 0.0), |_, _| {}).unwrap();
    assert_eq!(found.widths, Widths { base: 4, max: 64 });
}

#[test]
fn what_does_not_fit_is_said() {
    let of = |change: &dyn Fn(&str, &mut Owned)| inferred(&architecture(64, 16, 64, 3, 0.0), change).unwrap_err();
    let rename = |network: &'static str, from: &'static str, to: &'static str| {
        move |of: &str, tensors: &mut Owned| {
            let tensors = tensors.iter_mut().filter(|(name, _)| of == network && name.starts_with(from));
            tensors.for_each(|(name, _)| *name = name.replacen(from, to, 1));
        }
    };
    let message = of(&rename("style_encoder", "shared.0.weight", "trunk.0.weight"));
    assert_eq!(message, "its `style_encoder` is not the one of StarGAN v2: `shared.0.weight` is missing");
    let message = of(&rename("generator", "encode.3.", "encode.9."));
    let expected = "its generator has 3 encoder blocks; for the 64 px of its style encoder there are 4 (w_hpf 0) or 5";
    assert!(message.starts_with(expected), "{message}");
    let message = of(&rename("mapping_network", "unshared.2.", "unshared.3."));
    assert_eq!(message, "its style encoder has 3 domains, its mapping network 2");
    let message = of(&rename("generator", "from_rgb.bias", "from_rgb.offset"));
    let expected = "its `generator` is not that of StarGAN v2, 64 px, 3 domains, w_hpf 0, 16 to 64 channels (officially \
                    from 256), style codes of 64, latent codes of 16: 1 missing (`from_rgb.bias`); 1 unexpected \
                    (`from_rgb.offset`)";
    assert_eq!(message, expected);
    let message = of(&rename("mapping_network", "shared.", "common."));
    assert!(
        message.contains("`mapping_network` is not the one of StarGAN v2: `shared.0.weight` is missing"),
        "{message}"
    );

    // Another width in the middle of a network.
    let message = of(&|network, tensors| {
        for (name, shape) in tensors.iter_mut().filter(|_| network == "generator") {
            if name.starts_with("decode.1.conv1.") {
                shape[0] = 48;
            }
        }
    });
    let expected = "2 of another shape (`decode.1.conv1.weight` [48, 64, 3, 3] instead of [64, 64, 3, 3], \
                    `decode.1.conv1.bias` [48] instead of [64])";
    assert!(message.ends_with(expected), "{message}");
    let message = of(&|network, tensors| {
        let last = tensors.iter_mut().filter(|(name, _)| network == DISCRIMINATOR && name == "main.8.weight");
        last.for_each(|(_, shape)| shape[0] = 2);
    });
    assert_eq!(message, "its style encoder has 3 domains, its discriminator 2");
    // A shape that no memory holds.
    let message = of(&|network, tensors| {
        let first = tensors.iter_mut().filter(|(name, _)| network == "style_encoder" && name == "shared.0.weight");
        first.for_each(|(_, shape)| *shape = vec![usize::MAX, 0, 3, 3]);
    });
    assert!(message.contains("has the shape"), "{message}");
}

/// A file written here, with the weights of the naming rule, gives the official code's images.
#[test]
fn golden_images_through_a_file() {
    for (name, case) in golden::cases::<ForwardCase>("forward_64") {
        let entry = |network: &str, prefix: &str| {
            let tensors = case.state_dict[network].iter().map(|(key, shape)| {
                let values = golden::parameter(&format!("{network}.{key}"), shape, DType::F32);
                let values = values.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let data = values.into_iter().flat_map(f32::to_le_bytes).collect();
                let tensor = pytorch::Tensor { dtype: Dtype::F32, shape: shape.clone(), data };
                (Object::Str(format!("{prefix}{key}")), Object::Tensor(tensor))
            });
            (Object::Str(network.to_owned()), Object::Dict(tensors.collect()))
        };
        let image = |name| golden::input(name, &[case.batch, 3, case.img_size, case.img_size], DType::F32);
        let (x, reference, z) =
            (image("x_real"), image("x_ref"), golden::input("z_trg", &[case.batch, 16], DType::F32));
        let target: Vec<u32> = (0..case.batch as u32).map(|i| (i + 1) % case.num_domains as u32).collect();
        let folder = tempfile::tempdir().unwrap();
        for (container, prefix) in [(Container::Zip, ""), (Container::Legacy, "module.")] {
            let path = folder.path().join("100000_nets_ema.ckpt");
            let object = Object::Dict(TRANSLATING.map(|network| entry(network, prefix)).to_vec());
            std::fs::write(&path, pytorch::write_bytes(&object, container).unwrap()).unwrap();
            let checkpoint = Checkpoint::open(&path).unwrap();
            assert_eq!(checkpoint.architecture().domains, case.num_domains, "{name}");
            let method = checkpoint.into_method(&Device::Cpu, None).unwrap();
            let guidances = [("s", Guidance::Latent(&z)), ("e", Guidance::Reference(&reference))];
            for (style, guidance) in guidances {
                let image = method.translate(&x, &target, &target, guidance).unwrap();
                let output = format!("generator(x_real, {style})");
                case.outputs[&output].check(&format!("{name} {container:?} {output}"), &image, 1e-4, 1e-4);
            }
        }
    }
}

/// A folder of cases that the official code made, each `SIZE_DOMAINS_WHPF_NAME/` with `*_nets_ema*.ckpt`, perhaps
/// `*_nets.ckpt`, and in `io.pt` the inputs and what its networks make of them.
#[test]
fn images_are_those_of_the_official_code() {
    let Some(folder) = std::env::var_os("HARNESS_OFFICIAL_DIR") else {
        println!("skipped: HARNESS_OFFICIAL_DIR names no folder of cases");
        return;
    };
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases {
        let io = harness_tensorfiles::pytorch::read(&case.join("io.pt")).unwrap();
        let tensor = |name: &str| io.get(name).map(|object| single(object, &case));
        let domains = io.get("y").map(labels).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "ckpt")) {
            let checkpoint = Checkpoint::open(file).unwrap();
            let which = if checkpoint.contents() == Contents::Averages { "ema" } else { "nets" };
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            let expected: Vec<f64> = name.split('_').take(3).map(|part| part.parse().unwrap()).collect();
            let found = checkpoint.architecture();
            let lacks_filter = found.w_hpf != expected[2];
            assert_eq!([found.image_size as f64, found.domains as f64], expected[..2], "{name}");
            assert!(!lacks_filter || (found.w_hpf == 1.0 && expected[2] > 0.0), "{name}");
            println!("{name} {}: {found}", file.file_name().unwrap().to_string_lossy());
            let method = checkpoint.into_method(&Device::Cpu, None).unwrap();
            let x = tensor("x").unwrap();
            for (mode, input) in [("latent", "z"), ("reference", "x_ref")] {
                let input = tensor(input).unwrap();
                let guidance = if mode == "latent" { Guidance::Latent(&input) } else { Guidance::Reference(&input) };
                let ours = method.translate(&x, &[0, 0, 0], &domains, guidance).unwrap();
                let theirs = tensor(&format!("{which}_{mode}")).unwrap();
                let [largest, bytes] = differences(&ours, &theirs);
                println!("  {mode}: {largest:.2e} of the root mean square, {bytes} of 255");
                assert!(largest <= 1e-4 && bytes <= 1.0, "{name} {mode}");
            }
        }
    }
}

fn single(object: &Object, case: &std::path::Path) -> Tensor {
    let Object::Tensor(tensor) = object else { panic!("{}: {}", case.display(), object.description()) };
    Tensor::from_vec(tensor.to_f32().unwrap(), tensor.shape.clone(), &Device::Cpu).unwrap()
}

fn labels(object: &Object) -> Vec<u32> {
    let Object::Tensor(tensor) = object else { panic!("{}", object.description()) };
    tensor.data.chunks_exact(8).map(|element| u32::from(element[0])).collect()
}

/// The largest difference relative to the root mean square of `theirs`, and in steps of 8-bit images.
fn differences(ours: &Tensor, theirs: &Tensor) -> [f64; 2] {
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (ours, theirs) = (values(ours), values(theirs));
    assert_eq!(ours.len(), theirs.len());
    let rms = (theirs.iter().map(|v| f64::from(v * v)).sum::<f64>() / theirs.len() as f64).sqrt();
    let byte = |v: f32| ((f64::from(v) + 1.0) / 2.0).clamp(0.0, 1.0).mul_add(255.0, 0.5).floor();
    let pairs = || ours.iter().zip(&theirs);
    let largest = pairs().map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max) / rms;
    [largest, pairs().map(|(a, b)| (byte(*a) - byte(*b)).abs()).fold(0.0, f64::max)]
}
