//! Rate, remaining time and headline losses of a run.

use super::output::duration;
use crate::train::Event;
use std::time::{Duration, Instant};

/// Follows the events of one run.
#[derive(Debug, Default)]
pub struct Meter {
    /// Iterations finished.
    pub iteration: u64,
    /// Iterations to do.
    pub total: u64,
    losses: String,
    stage: Option<String>,
    steps: u64,
    spent: Duration,
    last: Option<Instant>,
}

impl Meter {
    /// Takes in `event`, which happened at `now`.
    pub fn update(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { from, total } => {
                (self.iteration, self.total, self.last) = (*from, *total, Some(now));
            }
            Event::Step { iteration, losses } => {
                if let Some(last) = self.last {
                    self.spent += now.saturating_duration_since(last);
                    self.steps += iteration.saturating_sub(self.iteration);
                }
                (self.iteration, self.last, self.stage) = (*iteration, Some(now), None);
                if !losses.is_empty() {
                    self.losses = headline(losses);
                }
            }
            Event::Stage { name, done, total } => {
                // Time beside training does not count for the rate.
                self.last = None;
                self.stage = Some(if *total > 1 { format!("{name} {done}/{total}") } else { name.clone() });
            }
            Event::Note { .. } | Event::Ended { .. } => {}
        }
    }

    /// Rate, remaining time and losses, or the stage: what stands beside the iteration.
    pub fn text(&self) -> String {
        if let Some(stage) = &self.stage {
            return stage.clone();
        }
        let mut parts = Vec::new();
        let seconds = self.spent.as_secs_f64();
        if self.steps > 0 && seconds > 0.0 {
            let rate = self.steps as f64 / seconds;
            parts.push(if rate >= 1.0 { format!("{rate:.1} it/s") } else { format!("{:.1} s/it", 1.0 / rate) });
            parts.push(format!("ETA {}", duration(self.total.saturating_sub(self.iteration) as f64 / rate)));
        }
        if !self.losses.is_empty() {
            parts.push(self.losses.clone());
        }
        parts.join("  ")
    }
}

/// One loss of each network: the first that is a whole loss (`D/latent_loss`), or else its first term by its full name.
fn headline(losses: &[(String, f64)]) -> String {
    let network = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let mut shown: Vec<(String, String)> = Vec::new();
    for (name, value) in losses.iter().filter(|(name, _)| name.ends_with("loss")).chain(losses) {
        let network = network(name);
        if !shown.iter().any(|(known, _)| *known == network) {
            let label = if name.ends_with("loss") { &network } else { name };
            let text = format!("{label} {value:.3}");
            shown.push((network, text));
        }
    }
    shown.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(iteration: u64, losses: &[(&str, f64)]) -> Event {
        let losses = losses.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Event::Step { iteration, losses }
    }

    #[test]
    fn rate_leaves_out_evaluation() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        meter.update(&Event::Started { from: 100, total: 200 }, at(0));
        meter.update(&step(101, &[("D/latent_real", 1.0), ("D/latent_loss", 1.5), ("G/latent_adv", 2.0)]), at(2));
        meter.update(&step(102, &[]), at(4));
        assert_eq!(meter.text(), "2.0 s/it  ETA 3m16s  D 1.500  G/latent_adv 2.000");
        meter.update(&Event::Stage { name: "evaluating".into(), done: 3, total: 9 }, at(50));
        assert_eq!(meter.text(), "evaluating 3/9");
        meter.update(&step(103, &[]), at(100));
        meter.update(&step(104, &[]), at(102));
        assert!(meter.text().starts_with("2.0 s/it"), "{}", meter.text());
    }
}
