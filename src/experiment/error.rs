//! Errors of experiment files and of the options that go with them.

use super::source::{Location, Position};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use std::fmt;

/// One thing that is wrong with an experiment file or with an option that changes it.
#[derive(Debug, Clone)]
pub struct ConfigError {
    message: String,
    help: Option<String>,
    at: Option<Location>,
    variants: Vec<String>,
}

impl ConfigError {
    /// An error at a place.
    pub(crate) fn at(at: Location, message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, at: Some(at), variants: Vec::new() }
    }

    /// An error that has no place in a text, such as a file that cannot be read.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, at: None, variants: Vec::new() }
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the variant in which it shows.
    pub(crate) fn in_variant(mut self, key: &str) -> Self {
        self.variants.push(key.to_string());
        self
    }

    /// What is wrong, and in which variants where that matters.
    pub fn message(&self) -> String {
        match self.variants.as_slice() {
            [] => self.message.clone(),
            [one] => format!("{} (variant {one})", self.message),
            several => format!("{} (variants {})", self.message, several.join(", ")),
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file, or the command-line option as typed.
    pub fn source_name(&self) -> Option<&str> {
        self.at.as_ref().map(|at| at.source().name())
    }

    /// Line and column, if it lies in a file.
    pub fn position(&self) -> Option<Position> {
        self.at.as_ref().and_then(Location::position)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.at.as_ref().map(|at| at.source().named() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.at.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, at.span()))))
    }
}

/// Everything that is wrong with an experiment file, in the order of the text. Never empty.
///
/// `Display` gives one `file:line:column: message` line each (and what to do); [`ConfigErrors::render`] shows the
/// offending lines. As a [`Diagnostic`] it relates all its errors.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The errors, in the order of the text.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// The errors with the offending lines and carets beneath them.
    pub fn render(&self, theme: GraphicalTheme) -> String {
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        let mut out = String::new();
        for error in &self.errors {
            // Writing into a String fails only if the handler cannot read the span; the plain line then has to do.
            if handler.render_report(&mut out, error).is_err() {
                out.push_str(&format!("{error}\n"));
            }
        }
        out
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(at) = &error.at {
                write!(f, "{at}: ")?;
            }
            f.write_str(&error.message())?;
            if let Some(help) = &error.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Diagnostic for ConfigErrors {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.errors.iter().map(|error| error as &dyn Diagnostic)))
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self { errors: vec![error] }
    }
}

/// Gathers errors, so that all of them can be told at once.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    errors: Vec<ConfigError>,
}

impl Collector {
    /// Adds an error. One that differs from an earlier one in the variant alone is folded into it.
    pub(crate) fn push(&mut self, error: ConfigError) {
        let known = self.errors.iter_mut().find(|e| e.at == error.at && e.message == error.message);
        match known {
            None => self.errors.push(error),
            Some(known) => {
                for variant in error.variants {
                    if !known.variants.contains(&variant) {
                        known.variants.push(variant);
                    }
                }
            }
        }
    }

    /// All errors, in the order of the text, or the value if there are none.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        self.errors.sort_by_key(|e| e.at.as_ref().map(|at| (at.source().name().to_string(), at.start())));
        Err(ConfigErrors { errors: self.errors })
    }
}
