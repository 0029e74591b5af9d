//! An experiment-tracking research harness for multi-domain image-to-image translation.

pub mod data;
pub mod evaluate;
pub mod experiment;
pub mod methods;
