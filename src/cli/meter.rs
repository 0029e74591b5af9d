//! Rate, remaining time and headline losses of a run.

use super::output::duration;
use crate::train::Event;
use std::time::{Duration, Instant};

/// Names of a network's total loss, as `NETWORK/NAME`.
const TOTALS: [&str; 2] = ["total", "loss"];

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

/// The total loss of each network, or where a network has none its first loss by its full name.
fn headline(losses: &[(String, f64)]) -> String {
    let mut networks: Vec<&str> = Vec::new();
    for (name, _) in losses {
        let network = name.split('/').next().unwrap_or(name);
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    let shown = networks.into_iter().filter_map(|network| {
        let is_total = |name: &str| {
            name == network || TOTALS.iter().any(|total| name.strip_prefix(network) == Some(&format!("/{total}")))
        };
        let total = losses.iter().find(|(name, _)| is_total(name));
        let first = losses.iter().find(|(name, _)| name.split('/').next() == Some(network));
        match (total, first) {
            (Some((_, value)), _) => Some(format!("{network} {value:.3}")),
            (None, Some((name, value))) => Some(format!("{name} {value:.3}")),
            (None, None) => None,
        }
    });
    shown.collect::<Vec<_>>().join("  ")
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
        meter.update(&step(101, &[("D/total", 1.5), ("D/real", 1.0), ("G/adv", 2.0)]), at(2));
        meter.update(&step(102, &[]), at(4));
        assert_eq!(meter.text(), "2.0 s/it  ETA 3m16s  D 1.500  G/adv 2.000");
        meter.update(&Event::Stage { name: "evaluating".into(), done: 3, total: 9 }, at(50));
        assert_eq!(meter.text(), "evaluating 3/9");
        meter.update(&step(103, &[]), at(100));
        meter.update(&step(104, &[]), at(102));
        assert!(meter.text().starts_with("2.0 s/it"), "{}", meter.text());
    }
}
