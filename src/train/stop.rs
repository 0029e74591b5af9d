//! The request to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A request to stop after the current step. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Asks to stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Whether stopping has been asked for.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// The signal that asked, if one did.
    pub fn signal(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    /// Who asked, in words.
    pub fn reason(&self) -> String {
        match self.signal() {
            Some(signal_hook::consts::SIGINT) => "interrupted by the user (SIGINT)".to_owned(),
            Some(signal_hook::consts::SIGTERM) => "terminated (SIGTERM)".to_owned(),
            Some(signal) => format!("stopped by signal {signal}"),
            None => "asked to stop".to_owned(),
        }
    }

    /// Lets SIGINT and SIGTERM ask to stop; a second one ends the process at once with 128 + signal.
    pub fn on_signals(&self) -> std::io::Result<()> {
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // Registered first, so that only the second signal finds the flag set.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.requested))?;
            signal_hook::flag::register_usize(signal, Arc::clone(&self.signal), signal as usize)?;
            signal_hook::flag::register(signal, Arc::clone(&self.requested))?;
        }
        Ok(())
    }
}
