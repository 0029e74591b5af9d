//! A table as text, before it becomes Markdown, LaTeX, CSV or HTML.

use super::verdict::Verdict;

/// A table whose cells are text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextTable {
    /// What it shows.
    pub caption: String,
    /// Headers that span columns, with their spans; they cover all columns. May be empty.
    pub groups: Vec<(String, usize)>,
    /// Whether the groups are better read one under another than side by side, where there is a choice.
    pub stacked: bool,
    /// Column headers.
    pub header: Vec<String>,
    /// How many columns at the left are text; the others are numbers.
    pub text_columns: usize,
    /// Rows.
    pub rows: Vec<TextRow>,
    /// Footnotes; cells refer to them by index.
    pub footnotes: Vec<String>,
    /// Explanations that belong to no cell.
    pub legend: Vec<String>,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub enum TextRow {
    /// A heading over the rows that follow.
    Section(String),
    /// Cells.
    Cells(Vec<TextCell>),
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextCell {
    /// What it says.
    pub text: String,
    /// Indices of footnotes.
    pub notes: Vec<usize>,
    /// Whether it is the best of its column.
    pub best: bool,
    /// Verdict on ours against the published number in this cell.
    pub verdict: Option<Verdict>,
}

impl TextCell {
    /// A cell with text alone.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl TextTable {
    /// Named groups with the columns to show for each as a table of its own: the text at the left, then its columns.
    pub(crate) fn blocks(&self) -> Vec<(&str, Vec<usize>)> {
        let mut first = 0;
        let mut named = Vec::new();
        for (name, span) in &self.groups {
            if !name.is_empty() {
                named.push((name.as_str(), (0..self.text_columns).chain(first..first + span).collect()));
            }
            first += span;
        }
        named
    }

    /// The index of a footnote, added if it is new.
    pub fn footnote(&mut self, text: &str) -> usize {
        match self.footnotes.iter().position(|known| known == text) {
            Some(index) => index,
            None => {
                self.footnotes.push(text.into());
                self.footnotes.len() - 1
            }
        }
    }
}
