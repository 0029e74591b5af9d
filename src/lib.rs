//! An experiment-tracking research harness for multi-domain image-to-image translation.

pub mod bench;
pub mod checkpoints;
pub mod cli;
pub mod data;
pub mod doctor;
pub mod error;
pub mod evaluate;
pub mod experiment;
pub mod launch;
pub mod measure;
pub mod methods;
pub mod store;
pub mod train;
pub mod translate;
pub mod weights;
