//! A bar for work on images.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Seconds between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A bar with images per second on a terminal, a line now and then elsewhere. Nothing is shown of work that is done at
/// once.
pub struct ImageBar {
    name: String,
    bar: Option<ProgressBar>,
    begun: Instant,
    shown: Instant,
}

impl ImageBar {
    /// A bar called `name`.
    pub fn new(name: &str) -> Self {
        let style = ProgressStyle::with_template("{prefix}  {wide_bar} {pos}/{len}  {msg}  ETA {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
            bar.with_prefix(name.to_owned())
        });
        let now = Instant::now();
        Self { name: name.to_owned(), bar, begun: now, shown: now }
    }

    /// `done` of `total` images are done.
    pub fn show(&mut self, done: usize, total: usize) -> ControlFlow<()> {
        let rate = done as f64 / self.begun.elapsed().as_secs_f64();
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(format!("{rate:.1} images/s"));
                if done == total {
                    bar.finish_and_clear();
                }
            }
            None if self.shown.elapsed() >= PLAIN_EVERY => {
                self.shown = Instant::now();
                eprintln!("{}  {done} of {total} images, {rate:.1} images/s", self.name);
            }
            None => {}
        }
        ControlFlow::Continue(())
    }
}
