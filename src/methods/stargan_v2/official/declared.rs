//! The names and shapes that an architecture has, against those found.

use super::architecture::Shapes;
use super::{Architecture, DISCRIMINATOR, LANDMARKS, Widths};
use crate::experiment::settings::{DiscriminatorHead, InitScheme};
use crate::methods::stargan_v2::discriminator::discriminator;
use crate::methods::stargan_v2::landmarks::LandmarkNetwork;
use crate::methods::stargan_v2::{Generator, GeneratorConfig, MappingNetwork, StyleEncoder, TrunkConfig};
use harness_ops::Declaration;

/// Names that a message lists before it only counts.
const SHOWN: usize = 4;

/// Names and shapes of `network`'s tensors, in official order where it is trained; none for a network that StarGAN v2 has
/// not.
pub(super) fn declared(architecture: &Architecture, network: &str) -> Vec<Declaration> {
    let Architecture { image_size, domains, w_hpf, widths, style_dim, latent_dim, hidden_dim, .. } = *architecture;
    let trunk = |Widths { base, max }| TrunkConfig { image_size, base_channels: base, max_channels: max };
    let scheme = InitScheme::He;
    match network {
        "generator" => {
            let (base_channels, max_channels) = (widths.base, widths.max);
            Generator::new(GeneratorConfig { image_size, style_dim, base_channels, max_channels, w_hpf })
                .declarations(scheme)
        }
        "mapping_network" => MappingNetwork::new(latent_dim, style_dim, hidden_dim, domains).declarations(scheme),
        "style_encoder" => StyleEncoder::new(trunk(widths), style_dim, domains).declarations(scheme),
        DISCRIMINATOR => {
            let widths = architecture.discriminator.unwrap_or(widths);
            discriminator(trunk(widths), DiscriminatorHead::MultiTask, domains).declarations(scheme)
        }
        LANDMARKS => LandmarkNetwork::declarations().to_vec(),
        _ => Vec::new(),
    }
}

/// Whether `found` are the tensors of `network`, all of them and no others. (The landmark network may be a part of a
/// larger one, as in the published file.)
///
/// # Errors
/// They are not: what is missing, unexpected or of another shape, the first few by name.
pub(super) fn compare(architecture: &Architecture, network: &str, found: &Shapes) -> Result<(), String> {
    let declared = declared(architecture, network);
    let (mut missing, mut misshapen) = (Vec::new(), Vec::new());
    for Declaration { name, shape, .. } in &declared {
        match found.get(name.as_str()) {
            None => missing.push(format!("`{name}`")),
            Some(found) if *found != shape.as_slice() => {
                misshapen.push(format!("`{name}` {found:?} instead of {shape:?}"));
            }
            Some(_) => {}
        }
    }
    let known = |name: &str| declared.iter().any(|declaration| declaration.name == name);
    let mut unexpected: Vec<String> = found
        .keys()
        .filter(|name| !known(name) && network != LANDMARKS)
        .map(|name| format!("`{}`", shortened(name)))
        .collect();
    unexpected.sort_unstable();
    let problems = [("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen)];
    let listed: Vec<String> = problems.iter().filter(|(_, names)| !names.is_empty()).map(listed).collect();
    match listed.is_empty() {
        true => Ok(()),
        false => Err(format!("its `{network}` is not that of {architecture}: {}", listed.join("; "))),
    }
}

fn listed((what, names): &(&str, Vec<String>)) -> String {
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{} {what} ({}{more})", names.len(), names[..names.len().min(SHOWN)].join(", "))
}

/// A name from a file, for a message.
fn shortened(name: &str) -> String {
    name.chars().take(60).collect()
}
