//! Which images are translated, with which references, and whether the model takes them.

use super::inputs::{self, Found, REFERENCE, SOURCE};
use super::request::{Guiding, Request};
use super::{Model, TranslateError};
use crate::methods::Mode;
use std::path::PathBuf;

/// Sees that the model was trained for what is to guide it.
pub(super) fn check_mode(model: &Model, request: &Request) -> Result<(), TranslateError> {
    let modes = model.method.modes();
    let (option, mode) = match &request.guiding {
        Guiding::Labels => ("--reference or --latents", Mode::Label),
        Guiding::Latents { .. } => ("--latents", Mode::Latent),
        Guiding::References(_) => (REFERENCE, Mode::Reference),
    };
    if modes.contains(&mode) {
        return match (mode, request.interpolate) {
            (Mode::Label, true) => {
                let problem = "the model makes one output per domain, with nothing between; leave it out";
                Err(TranslateError::usage("--interpolate", problem))
            }
            _ => Ok(()),
        };
    }
    let takes = |mode: &Mode| match mode {
        Mode::Label => "a domain alone (neither --reference nor --latents)",
        Mode::Latent => "latent codes (--latents N)",
        Mode::Reference => "references (--reference IMAGE)",
    };
    let takes: Vec<&str> = modes.iter().map(takes).collect();
    let problem = match mode {
        Mode::Label => format!("one is needed: the model is guided by {}", takes.join(" or ")),
        _ => format!("the model was not trained for it: it is guided by {}", takes.join(" or ")),
    };
    Err(TranslateError::usage(option, problem))
}

/// The sources with their domains, which are 0 where neither known nor needed.
pub(super) fn sources(
    model: &Model,
    request: &Request,
    warnings: &mut Vec<String>,
) -> Result<Vec<(Found, u32)>, TranslateError> {
    let mut found = inputs::find(SOURCE, &request.sources, model)?;
    limit(request.max_images, "sources", &mut found, warnings);
    let given = request.source_domain.as_ref();
    let given = given.map(|text| model.domain("--source-domain", text)).transpose()?;
    if !model.method.needs_source_domain() {
        let known = |source: Found| {
            let domain = source.domain().unwrap_or(0);
            (source, domain)
        };
        return Ok(found.into_iter().map(known).collect());
    }
    let domain_of = |source: Found| match given.or(source.domain()) {
        Some(domain) => Ok((source, domain)),
        None => {
            let path = source.path.display();
            let problem = format!(
                "needed: this model must know the domain of a source, and the folder of {path} is not called after one; {}",
                model.has()
            );
            Err(TranslateError::usage("--source-domain", problem))
        }
    };
    found.into_iter().map(domain_of).collect()
}

/// The references with their domains: the wanted one, or those of their folders as far as they are wanted.
pub(super) fn references(
    model: &Model,
    request: &Request,
    paths: &[PathBuf],
    wanted: &[u32],
    warnings: &mut Vec<String>,
) -> Result<Vec<(Found, u32)>, TranslateError> {
    let mut references = Vec::new();
    for found in inputs::find(REFERENCE, paths, model)? {
        let domain = match (found.sorted_into, wanted) {
            (Some(domain), []) => domain,
            (Some(domain), wanted) if wanted.contains(&domain) => domain,
            (Some(_), _) => continue,
            (None, &[domain]) => domain,
            (None, wanted) => {
                let by_folder = found.from.filter(|domain| wanted.is_empty() || wanted.contains(domain));
                by_folder.ok_or_else(|| {
                    let path = found.path.display();
                    let called = match found.from {
                        Some(other) => {
                            format!("called after {}, which is not among them", model.domains[other as usize])
                        }
                        None => "not called after a domain".into(),
                    };
                    let problem = format!("needed: the folder of the reference {path} is {called}; {}", model.has());
                    TranslateError::usage("--domain", problem)
                })?
            }
        };
        references.push((found, domain));
    }
    if references.is_empty() {
        let problem = "no reference lies in a folder of this name; name other references or another domain";
        return Err(TranslateError::usage(format!("--domain {}", request.domains.join(",")), problem));
    }
    let mut expected: Vec<u32> = wanted.iter().copied().chain(references.iter().map(|(_, domain)| *domain)).collect();
    limit(request.max_images, "references", &mut references, warnings);
    expected.retain(|domain| references.iter().all(|(_, taken)| taken != domain));
    expected.sort_unstable();
    expected.dedup();
    for domain in expected {
        warnings.push(format!("no reference of {} is taken, so nothing becomes one", model.domains[domain as usize]));
    }
    Ok(references)
}

/// Leaves the first `max_images`, and says so.
fn limit<T>(most: usize, what: &str, images: &mut Vec<T>, warnings: &mut Vec<String>) {
    let all = images.len();
    if all > most {
        images.truncate(most);
        warnings.push(format!("{all} {what}, the first {most} are taken; --max-images changes that"));
    }
}
