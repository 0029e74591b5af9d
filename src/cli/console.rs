//! Progress on standard error: a bar for each run on a terminal, plain lines otherwise.

use super::meter::Meter;
use crate::launch::Board;
use crate::train::{Ending, Event, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Seconds between two plain lines of a run.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The place for progress.
#[derive(Debug)]
pub struct Console {
    bars: Option<MultiProgress>,
}

impl Console {
    /// Bars if standard error is a terminal.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }
}

impl Board for Console {
    fn run(&self, name: &str) -> Box<dyn Progress> {
        match &self.bars {
            Some(bars) => Box::new(Bar::new(bars, name)),
            None => Box::new(Plain { name: name.to_owned(), meter: Meter::default(), shown: None }),
        }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            // A terminal that is gone is no reason to stop training.
            Some(bars) => drop(bars.println(text)),
            None => plain_line(text),
        }
    }
}

fn plain_line(text: &str) {
    // Nobody may be reading; training goes on.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// How a run ended, in one line.
fn closing(meter: &Meter, ending: Ending, message: &str) -> String {
    match ending {
        Ending::Failed => format!("failed after iteration {}: {message}", meter.iteration),
        Ending::Interrupted => format!("interrupted after iteration {}: {message}", meter.iteration),
        Ending::Finished => message.to_owned(),
    }
}

/// A bar.
struct Bar {
    bar: ProgressBar,
    bars: MultiProgress,
    name: String,
    meter: Meter,
}

impl Bar {
    fn new(bars: &MultiProgress, name: &str) -> Self {
        let template = "{prefix}  {bar:24} {pos}/{len} it  {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new(0).with_style(style).with_prefix(name.to_owned()));
        Self { bar, bars: bars.clone(), name: name.to_owned(), meter: Meter::default() }
    }
}

impl Progress for Bar {
    fn show(&mut self, event: Event) {
        self.meter.update(&event, Instant::now());
        match event {
            Event::Note { message } => drop(self.bars.println(format!("{}  {message}", self.name))),
            Event::Ended { ending, message } => {
                let line = format!("{}  {}", self.name, closing(&self.meter, ending, &message));
                self.bar.finish_and_clear();
                drop(self.bars.println(line));
            }
            Event::Started { .. } | Event::Step { .. } | Event::Stage { .. } => {
                self.bar.set_length(self.meter.total);
                self.bar.set_position(self.meter.iteration);
                self.bar.set_message(self.meter.text());
            }
        }
    }
}

/// Lines.
struct Plain {
    name: String,
    meter: Meter,
    shown: Option<Instant>,
}

impl Progress for Plain {
    fn show(&mut self, event: Event) {
        let now = Instant::now();
        self.meter.update(&event, now);
        match event {
            Event::Note { message } => plain_line(&format!("{}  {message}", self.name)),
            Event::Ended { ending, message } => {
                plain_line(&format!("{}  {}", self.name, closing(&self.meter, ending, &message)));
            }
            Event::Started { .. } => self.shown = Some(now),
            Event::Step { .. } | Event::Stage { .. } => {
                let recently = self.shown.is_some_and(|shown| now.duration_since(shown) < PLAIN_EVERY);
                if !recently {
                    self.shown = Some(now);
                    let Meter { iteration, total, .. } = self.meter;
                    plain_line(&format!("{}  {iteration}/{total} it  {}", self.name, self.meter.text()));
                }
            }
        }
    }
}
