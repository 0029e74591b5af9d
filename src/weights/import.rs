//! Official files become ours: recognised by their tensors, checked, reduced to what is used of them.

use super::source::Source;
use super::{Network, WeightsError, file, folder};
use crate::store;
use harness_eval::{BatchNormalization, TensorSpec};
use harness_tensorfiles::pytorch::{Dtype, Tensor};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The network.
    pub network: Network,
    /// The new file.
    pub path: PathBuf,
    /// Tensors in it.
    pub tensors: usize,
    /// Tensors of the source that are not used: classifiers, counters, further stages.
    pub dropped: usize,
    /// Groups of tensors that the source lacks: the extractor cannot use its later taps, or its heads.
    pub groups_missing: usize,
    /// Hex SHA-256 of the source.
    pub sha256: String,
    /// Whether the source is the published file, where that file's hash is known.
    pub is_official: Option<bool>,
}

/// Where a weights file is to be.
#[derive(Debug, Clone, Copy)]
pub enum Destination<'a> {
    /// This file.
    File(&'a Path),
    /// The network's place in this folder of weights, which is made where it is missing.
    Folder(&'a Path),
}

impl Destination<'_> {
    fn path(self, network: Network) -> Result<PathBuf, WeightsError> {
        match self {
            Self::File(path) => Ok(path.to_owned()),
            Self::Folder(folder) => {
                store::create_dir(folder)?;
                Ok(folder::path_in(folder, network))
            }
        }
    }
}

/// A tensor of each known network.
const INCEPTION: &str = "Conv2d_1a_3x3.conv.weight";
const INCEPTION_FOLDED: &str = "Conv2d_1a_3x3.weight";
const ALEXNET: [&str; 2] = ["features.0.weight", "lin0.model.1.weight"];
const LANDMARKS: &str = "m0.coordconv.conv.weight";
/// The classifier of Inception.
const CLASSIFIER: &str = "fc.weight";

/// Makes the weights file `to` of the file `source`: of `torch.save` in either container, or safetensors. The network is
/// recognised by its tensors; `network` says which it is where they do not.
///
/// # Errors
/// The source cannot be read, holds something else than tensors, is of no known network or of another than `network`, or
/// lacks a tensor, or one has another shape or type or is not finite; then nothing is written. Or `to` cannot be written.
pub fn import(source: &Path, to: Destination, network: Option<Network>) -> Result<Imported, WeightsError> {
    let bytes =
        std::fs::read(source).map_err(|error| WeightsError::Unreadable { file: source.to_owned(), source: error })?;
    import_bytes(source, bytes, to, network)
}

/// As [`import`], of the content of `source`.
///
/// # Errors
/// As [`import`].
pub fn import_bytes(
    source: &Path,
    bytes: Vec<u8>,
    to: Destination,
    network: Option<Network>,
) -> Result<Imported, WeightsError> {
    let mut content = Source::read(source, &bytes)?;
    let sha256 = sha256(&bytes);
    drop(bytes);
    let (network, normalization) = recognise(source, &content, network)?;
    let (tensors, groups_missing) = take(&mut content.tensors, network, normalization)
        .map_err(|problems| WeightsError::Tensors { file: source.to_owned(), network, problems })?;
    let is_official = network.official().map(|official| official.sha256 == sha256);
    let path = to.path(network)?;
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let (count, dropped) = (tensors.len(), content.tensors.len());
    file::write(&path, network, &name, &sha256, tensors)?;
    Ok(Imported { network, path, tensors: count, dropped, groups_missing, sha256, is_official })
}

/// Hex SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which network the tensors are of, and how they hold batch normalisation.
fn recognise(
    file: &Path,
    source: &Source,
    asked: Option<Network>,
) -> Result<(Network, BatchNormalization), WeightsError> {
    let fail = |problem: String| WeightsError::Unrecognised { file: file.to_owned(), problem };
    let has = |name: &str| source.tensors.contains_key(name);
    let (found, normalization) = if has(INCEPTION) {
        (inception(source), BatchNormalization::Separate)
    } else if has(INCEPTION_FOLDED) {
        (inception(source), BatchNormalization::Folded)
    } else if ALEXNET.into_iter().any(has) {
        (Some(Network::AlexnetLpips), BatchNormalization::Folded)
    } else if has(LANDMARKS) {
        (Some(Network::FaceLandmarks), BatchNormalization::Separate)
    } else {
        let mut names: Vec<&str> = source.tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        let first = names.iter().take(4).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let holds =
            if first.is_empty() { "no tensor".into() } else { format!("{} tensors ({first} ...)", names.len()) };
        let known = Network::ALL.map(Network::name).join(", ");
        return Err(fail(format!("holds {holds}, which are of no known network ({known})")));
    };
    let is_inception = source.tensors.keys().any(|name| name.starts_with("Conv2d_1a_3x3."));
    match (found, asked) {
        (Some(found), Some(asked)) if found != asked => {
            Err(fail(format!("holds {}, and --network says {}", found.name(), asked.name())))
        }
        (None, Some(asked @ (Network::AlexnetLpips | Network::FaceLandmarks))) if is_inception => {
            Err(fail(format!("holds an Inception network, and --network says {}", asked.name())))
        }
        (Some(network), _) | (None, Some(network)) => Ok((network, normalization)),
        (None, None) => Err(fail(
            "holds an Inception network without its classifier, by which inception-2015 (pytorch-fid) and inception-v3 \
             (torchvision) are told apart; say which with --network"
                .into(),
        )),
    }
}

/// Which Inception: by the classes of its classifier, else by what a file of ours says.
fn inception(source: &Source) -> Option<Network> {
    let classes = source.tensors.get(CLASSIFIER).and_then(|tensor| tensor.shape.first().copied());
    let both = [Network::Inception2015, Network::InceptionV3];
    match classes {
        Some(_) => both.into_iter().find(|network| network.classes() == classes),
        None => source.network.as_deref().and_then(Network::named).filter(|network| both.contains(network)),
    }
}

type Prepared = (String, Vec<usize>, Vec<u8>);

/// Takes the network's tensors out of `tensors`, as 32-bit floating-point numbers, and says how many groups are missing;
/// or else all that is wrong.
fn take(
    tensors: &mut HashMap<String, Tensor>,
    network: Network,
    normalization: BatchNormalization,
) -> Result<(Vec<Prepared>, usize), Vec<String>> {
    let groups = network.tensors(normalization);
    let present: Vec<bool> =
        groups.iter().map(|group| group.iter().any(|spec| tensors.contains_key(&spec.key))).collect();
    // Where an Inception ends, nothing may follow. AlexNet and its heads are published apart.
    let needed = match network {
        Network::AlexnetLpips => present.clone(),
        _ => {
            let last = present.iter().rposition(|present| *present).unwrap_or(0);
            (0..groups.len()).map(|group| group <= last).collect()
        }
    };
    let (mut prepared, mut problems) = (Vec::new(), Vec::new());
    for spec in groups.iter().zip(&needed).filter(|(_, needed)| **needed).flat_map(|(group, _)| group) {
        match tensors.remove(&spec.key) {
            None => problems.push(format!("`{}` {:?} is missing", spec.key, spec.shape)),
            Some(tensor) => match floats(spec, tensor) {
                Ok(data) => prepared.push((spec.key.clone(), spec.shape.clone(), data)),
                Err(problem) => problems.push(format!("`{}` {problem}", spec.key)),
            },
        }
    }
    match problems.is_empty() {
        true => Ok((prepared, needed.iter().filter(|needed| !**needed).count())),
        false => Err(problems),
    }
}

/// The elements as 32-bit little-endian floating-point numbers.
fn floats(spec: &TensorSpec, tensor: Tensor) -> Result<Vec<u8>, String> {
    if tensor.shape != spec.shape {
        return Err(format!("has shape {:?}, {:?} is needed", tensor.shape, spec.shape));
    }
    let values =
        tensor.to_f32().ok_or_else(|| format!("holds {:?}, floating-point numbers are needed", tensor.dtype))?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("holds {value}")),
        None if tensor.dtype == Dtype::F32 => Ok(tensor.data),
        None => Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-4, the example of one block.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }

    fn tensor(shape: &[usize]) -> Tensor {
        Tensor { dtype: Dtype::F32, shape: shape.to_vec(), data: vec![0; 4 * shape.iter().product::<usize>()] }
    }

    fn source(tensors: &[(&str, &[usize])], network: Option<&str>) -> Source {
        let tensors = tensors.iter().map(|(name, shape)| ((*name).to_owned(), tensor(shape))).collect();
        Source { tensors, network: network.map(str::to_owned) }
    }

    #[test]
    fn networks_are_told_apart() {
        use BatchNormalization::{Folded, Separate};
        use Network::{AlexnetLpips, Inception2015, InceptionV3};
        let stem: (&str, &[usize]) = (INCEPTION, &[1]);
        let folded: (&str, &[usize]) = (INCEPTION_FOLDED, &[1]);
        let of = |tensors: &[(&str, &[usize])], network, asked| {
            recognise(Path::new("f"), &source(tensors, network), asked).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[stem, ("fc.weight", &[1008, 1])], None, None), Ok((Inception2015, Separate)));
        assert_eq!(of(&[stem, ("fc.weight", &[1000, 1])], None, None), Ok((InceptionV3, Separate)));
        assert_eq!(of(&[folded], Some("inception-v3"), None), Ok((InceptionV3, Folded)));
        assert_eq!(of(&[folded], None, Some(Inception2015)), Ok((Inception2015, Folded)));
        // Trained anew with another number of classes.
        assert_eq!(of(&[stem, ("fc.weight", &[7, 1])], None, Some(InceptionV3)), Ok((InceptionV3, Separate)));
        assert_eq!(of(&[("lin0.model.1.weight", &[1])], None, None), Ok((AlexnetLpips, Folded)));
        for tensors in [&[stem][..], &[folded], &[stem, ("fc.weight", &[7, 1])]] {
            assert!(of(tensors, None, None).unwrap_err().contains("say which with --network"));
        }
        let message = of(&[stem, ("fc.weight", &[1000, 1])], None, Some(Inception2015)).unwrap_err();
        assert_eq!(message, "f: holds inception-v3, and --network says inception-2015");
        assert!(of(&[stem], None, Some(AlexnetLpips)).unwrap_err().contains("holds an Inception network"));
        assert!(of(&[("a", &[1])], None, Some(InceptionV3)).unwrap_err().contains("of no known network"));
    }

    /// Networks that end after a group are complete; those with a gap are not.
    #[test]
    fn groups_are_whole() {
        let groups = Network::Inception2015.tensors(BatchNormalization::Folded);
        let of = |wanted: &[usize]| {
            let specs = wanted.iter().flat_map(|group| &groups[*group]);
            let mut tensors = specs.map(|spec| (spec.key.clone(), tensor(&spec.shape))).collect();
            take(&mut tensors, Network::Inception2015, BatchNormalization::Folded)
        };
        let (tensors, missing) = of(&[0, 1]).unwrap();
        assert_eq!((tensors.len(), missing), (groups[0].len() + groups[1].len(), 2));
        assert_eq!(of(&[1]).unwrap_err().len(), groups[0].len());
        assert_eq!(of(&[0, 2]).unwrap_err().len(), groups[1].len());
        assert!(of(&[1]).unwrap_err()[0].contains("`Conv2d_1a_3x3.weight` [32, 3, 3, 3] is missing"));
    }

    #[test]
    fn elements_become_single_precision() {
        let spec = TensorSpec { key: "a".into(), shape: vec![2] };
        let tensor = |dtype, data| Tensor { dtype, shape: vec![2], data };
        let double = tensor(Dtype::F64, [0.1f64, 2.0].into_iter().flat_map(f64::to_le_bytes).collect());
        let single: Vec<u8> = [0.1f32, 2.0].into_iter().flat_map(f32::to_le_bytes).collect();
        assert_eq!(floats(&spec, double).unwrap(), single);
        assert_eq!(floats(&spec, tensor(Dtype::F32, single.clone())).unwrap(), single);
        // A double that no single can hold.
        let large = tensor(Dtype::F64, [1e300f64, 2.0].into_iter().flat_map(f64::to_le_bytes).collect());
        assert_eq!(floats(&spec, large).unwrap_err(), "holds inf");
        assert!(floats(&spec, tensor(Dtype::I8, vec![0, 0])).unwrap_err().contains("I8"));
    }
}
