//! Texts that settings come from, and places in them.

use miette::{NamedSource, SourceSpan};
use std::ops::Range;
use std::sync::Arc;

/// What kind of text a [`Source`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A file; places in it have a line and a column.
    File,
    /// A command-line argument; its name is place enough.
    Argument,
}

/// A text that settings come from: a file or a command-line argument.
#[derive(Debug)]
pub(crate) struct Source {
    named: NamedSource<String>,
    kind: Kind,
}

impl Source {
    /// The text of a file under the name the user knows it by.
    pub(crate) fn file(name: String, text: String) -> Arc<Self> {
        Arc::new(Self { named: NamedSource::new(name, text).with_language("toml"), kind: Kind::File })
    }

    /// The text of a command-line option, named as typed: `--set loss.lambda_ds=x`.
    pub(crate) fn argument(option: &str, text: &str) -> Arc<Self> {
        Arc::new(Self { named: NamedSource::new(format!("{option} {text}"), text.to_string()), kind: Kind::Argument })
    }

    /// The setting `text` that an option, named as typed, stands for: `train.image_size=33` of `--image-size 33`.
    pub(crate) fn flag(option: &str, text: &str) -> Arc<Self> {
        Arc::new(Self { named: NamedSource::new(option, text.to_string()), kind: Kind::Argument })
    }

    pub(crate) fn name(&self) -> &str {
        self.named.name()
    }

    pub(crate) fn text(&self) -> &str {
        self.named.inner()
    }

    pub(crate) fn named(&self) -> &NamedSource<String> {
        &self.named
    }
}

/// The place of an option's value, such as the name behind `--profile`.
pub(crate) fn argument(option: &str, text: &str) -> Location {
    Location::whole(&Source::argument(option, text))
}

/// A line and a column of a file, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A stretch of a [`Source`].
#[derive(Debug, Clone)]
pub(crate) struct Location {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Location {
    /// A stretch of bytes; ends outside the text or inside a character are moved inwards.
    pub(crate) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let text = source.text();
        let start = text.floor_char_boundary(span.start);
        let end = text.floor_char_boundary(span.end).max(start);
        Self { source: Arc::clone(source), span: start..end }
    }

    /// The whole text.
    pub(crate) fn whole(source: &Arc<Source>) -> Self {
        Self::new(source, 0..source.text().len())
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn start(&self) -> usize {
        self.span.start
    }

    pub(crate) fn span(&self) -> SourceSpan {
        self.span.clone().into()
    }

    /// Line and column of its first character; none for a command-line argument.
    pub(crate) fn position(&self) -> Option<Position> {
        if self.source.kind == Kind::Argument {
            return None;
        }
        let before = &self.source.text()[..self.span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        Some(Position { line, column })
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position() {
            Some(Position { line, column }) => write!(f, "{}:{line}:{column}", self.source.name()),
            None => f.write_str(self.source.name()),
        }
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        self.source.name() == other.source.name() && self.span == other.span
    }
}
