//! The experiment file: model, layers, validation, expansion into runs.

pub mod settings;
