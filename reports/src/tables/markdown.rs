//! Markdown, aligned so that it also reads well in a terminal.

use super::text::{TextCell, TextRow, TextTable};

/// Renders a table with caption, footnotes and legend. Markdown has one header row, so each group of columns becomes a
/// table of its own.
pub fn markdown(table: &TextTable) -> String {
    let mut text = String::new();
    if !table.caption.is_empty() {
        text += &format!("**{}**\n\n", escape(&table.caption));
    }
    let named = table.blocks();
    if named.is_empty() {
        text += &block(table, &(0..table.header.len()).collect::<Vec<_>>());
    }
    for (index, (name, columns)) in named.iter().enumerate() {
        let space = if index > 0 { "\n" } else { "" };
        text += &format!("{space}{}\n\n{}", escape(name), block(table, columns));
    }
    if !table.footnotes.is_empty() {
        text.push('\n');
        for (index, note) in table.footnotes.iter().enumerate() {
            text += &format!("- [{}] {}\n", index + 1, escape(note));
        }
    }
    if !table.legend.is_empty() {
        text.push('\n');
        for line in &table.legend {
            text += &format!("- {}\n", escape(line));
        }
    }
    text
}

/// Some columns as one table.
fn block(table: &TextTable, columns: &[usize]) -> String {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| escape(&table.header[*column])).collect()];
    for row in &table.rows {
        lines.push(match row {
            TextRow::Section(name) => {
                let mut cells = vec![String::new(); columns.len()];
                if let Some(first) = cells.first_mut() {
                    *first = format!("*{}*", escape(name));
                }
                cells
            }
            TextRow::Cells(cells) => columns.iter().map(|column| cell(&cells[*column])).collect(),
        });
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|place| lines.iter().map(|line| width(&line[place])).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let padded: Vec<_> = line
            .iter()
            .enumerate()
            .map(|(place, cell)| {
                let space = " ".repeat(widths[place] - width(cell));
                if columns[place] < table.text_columns { format!("{cell}{space}") } else { format!("{space}{cell}") }
            })
            .collect();
        text += &format!("| {} |\n", padded.join(" | "));
        if number == 0 {
            let rule = |place: usize, width: usize| match columns[place] < table.text_columns {
                true => "-".repeat(width),
                false => "-".repeat(width - 1) + ":",
            };
            let rules: Vec<_> = widths.iter().enumerate().map(|(place, width)| rule(place, *width)).collect();
            text += &format!("| {} |\n", rules.join(" | "));
        }
    }
    text
}

fn cell(cell: &TextCell) -> String {
    let mut text = escape(&cell.text);
    if cell.best {
        text = format!("**{text}**");
    }
    // A cell that is nothing but the verdict in words needs no mark.
    if let Some(verdict) = cell.verdict.filter(|verdict| verdict.words() != cell.text) {
        text += &format!(" {}", verdict.mark());
    }
    if !cell.notes.is_empty() {
        let numbers: Vec<_> = cell.notes.iter().map(|note| (note + 1).to_string()).collect();
        text += &format!(" [{}]", numbers.join(","));
    }
    text
}

/// Characters, which is what a terminal shows for everything this crate writes.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Escapes what would end a cell or start markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '*' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
