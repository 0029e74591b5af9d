//! Translating images with a trained model: what `harness translate` does.
//!
//! | part | file |
//! |---|---|
//! | networks from a run or a checkpoint file | `model` |
//! | images in, with the domains their folders name | `inputs`, `selection` |
//! | what guides the outputs: labels, latent codes, references | `guides` |
//! | every source with every guide, in chunks | `grid` |
//! | frames between guides, after the official code's videos | `alphas`, `frames` |
//! | layouts of sheets and strips | `sheets` |
//! | where results go, and in which format | `output`, `film`, `names` |
//! | what can be asked for, from its inputs to its files | `request`, `job` |

mod alphas;
mod error;
mod film;
mod frames;
mod grid;
mod guides;
mod inputs;
mod job;
mod model;
mod names;
mod output;
mod request;
mod selection;
mod sheets;
#[cfg(test)]
mod tests;

pub use error::TranslateError;
pub use job::translate;
pub use model::{Model, Opening};
pub use request::{Guiding, Kind, Report, Request, Written};
