//! Learning-rate schedules.

use crate::experiment::settings::{LrSchedule, Optimizer};

/// Iterations between two changes of StarGAN's learning rate (official code, `lr_update_step`).
const STARGAN_UPDATE_EVERY: u64 = 1000;

/// Share of the first learning rate at `iteration` (from 0) of `iterations`.
pub fn learning_rate_factor(optimizer: &Optimizer, iteration: u64, iterations: u64) -> f64 {
    let total = iterations as f64;
    match optimizer.schedule {
        LrSchedule::Constant => 1.0,
        LrSchedule::LinearSecondHalf => (2.0 * (1.0 - iteration as f64 / total)).clamp(0.0, 1.0),
        LrSchedule::StarganCode => {
            let decay = iterations / 2;
            // Changes happen after an iteration, those of the first half not counted.
            let changes = iteration / STARGAN_UPDATE_EVERY - (iterations - decay).min(iteration) / STARGAN_UPDATE_EVERY;
            1.0 - changes as f64 / decay.max(1) as f64
        }
        LrSchedule::Step => {
            // MUNIT's code advances the schedule at the start of an iteration. In PyTorch since 1.1 changes then come one
            // iteration early, as here; in 0.4, which that code was made for, they come on time.
            let changes = (iteration + 1) / optimizer.step_every;
            optimizer.step_factor.powi(i32::try_from(changes).unwrap_or(i32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(schedule: LrSchedule, iteration: u64) -> f64 {
        let optimizer = Optimizer { schedule, step_every: 50_000, ..Optimizer::default() };
        learning_rate_factor(&optimizer, iteration, 200_000)
    }

    #[test]
    fn linear_to_zero_in_the_second_half() {
        let values = [0, 100_000, 150_000, 200_000, 300_000].map(|i| factor(LrSchedule::LinearSecondHalf, i));
        assert_eq!(values, [1.0, 1.0, 0.5, 0.0, 0.0]);
    }

    /// The first change is made after iteration 101,000 and takes 1/100,000; the last possible after 200,000.
    #[test]
    fn stargans_code_hardly_decays() {
        let values = [100_999, 101_000, 102_500, 199_999].map(|i| factor(LrSchedule::StarganCode, i));
        assert_eq!(values, [1.0, 1.0 - 1e-5, 1.0 - 2e-5, 1.0 - 99e-5]);
    }

    #[test]
    fn steps() {
        assert_eq!([0, 49_998, 49_999, 149_999].map(|i| factor(LrSchedule::Step, i)), [1.0, 1.0, 0.5, 0.125]);
    }
}
