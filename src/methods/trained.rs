//! A network's parameters with everything training needs: averaged copy and optimiser.

use super::Result;
use candle_core::Tensor;
use harness_ops::{Adam, AdamConfig, Gradients, Parameters, Precision, Weights, update_ema};
use std::collections::HashMap;

/// Parameters, optional average and optimiser of one network.
#[derive(Debug)]
pub struct Trained {
    name: String,
    parameters: Parameters,
    average: Option<Parameters>,
    optimizer: Adam,
    learning_rate: f64,
}

impl Trained {
    /// Starts from `parameters`, to be computed in `precision`; so does the average, if one is wanted. (The official code
    /// averages from another random initialisation, which makes the average of a short run noise.)
    pub fn new(
        name: impl Into<String>,
        parameters: Parameters,
        precision: Precision,
        averaged: bool,
        config: AdamConfig,
        learning_rate: f64,
    ) -> Result<Self> {
        let parameters = parameters.prepared(precision)?;
        let average = if averaged { Some(parameters.deep_copy()?) } else { None };
        Ok(Self { name: name.into(), parameters, average, optimizer: Adam::new(config), learning_rate })
    }

    /// Name of the network in checkpoints, for example `style_encoder`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.parameters.count()
    }

    /// The current parameters.
    #[cfg(test)]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Current weights in the run's precision, with gradients.
    pub fn tracked(&self) -> Weights {
        self.parameters.tracked_rounded()
    }

    /// Current weights in the run's precision, without gradients.
    pub fn detached(&self) -> Weights {
        self.parameters.detached_rounded()
    }

    /// Current weights as they are, with gradients: for gradient penalties, whose second derivatives bf16 would drown in
    /// rounding.
    pub fn tracked_in_full(&self) -> Weights {
        self.parameters.tracked()
    }

    /// Averaged weights where there are any, otherwise current ones; as they are, without gradients.
    pub fn averaged(&self) -> Weights {
        self.average.as_ref().unwrap_or(&self.parameters).detached()
    }

    /// One optimiser step with the learning rate times `factor`.
    pub fn step(&mut self, gradients: &Gradients, factor: f64) -> Result<()> {
        self.optimizer.step(&self.parameters, gradients, self.learning_rate * factor)
    }

    /// Moves the average towards the parameters.
    pub fn update_average(&self, decay: f64) -> Result<()> {
        self.average.as_ref().map_or(Ok(()), |average| update_ema(average, &self.parameters, decay))
    }

    /// Adds parameters, average and optimiser history to a checkpoint.
    pub fn export(&self, state: &mut HashMap<String, Tensor>) -> Result<()> {
        self.parameters.export(&format!("nets.{}", self.name), state)?;
        if let Some(average) = &self.average {
            average.export(&format!("nets_ema.{}", self.name), state)?;
        }
        self.optimizer.export(&format!("optims.{}", self.name), &self.parameters, state)
    }

    /// Restores what [`Trained::export`] gave.
    pub fn import(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.parameters.import(&format!("nets.{}", self.name), state)?;
        if let Some(average) = &self.average {
            average.import(&format!("nets_ema.{}", self.name), state)?;
        }
        self.optimizer.import(&format!("optims.{}", self.name), &self.parameters, state)
    }
}
