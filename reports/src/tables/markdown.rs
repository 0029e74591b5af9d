//! Markdown, aligned so that it also reads well in a terminal.

use super::text::{TextCell, TextRow, TextTable};

/// Renders a table with caption, footnotes and legend.
pub fn markdown(table: &TextTable) -> String {
    let mut lines: Vec<Vec<String>> = vec![header(table)];
    for row in &table.rows {
        lines.push(match row {
            TextRow::Section(name) => {
                let mut cells = vec![String::new(); table.header.len()];
                if let Some(first) = cells.first_mut() {
                    *first = format!("*{}*", escape(name));
                }
                cells
            }
            TextRow::Cells(cells) => cells.iter().map(cell).collect(),
        });
    }
    let widths: Vec<usize> = (0..table.header.len())
        .map(|column| lines.iter().map(|line| width(&line[column])).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    if !table.caption.is_empty() {
        text += &format!("**{}**\n\n", escape(&table.caption));
    }
    for (number, line) in lines.iter().enumerate() {
        let padded: Vec<_> = line
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let space = " ".repeat(widths[column] - width(cell));
                if column < table.text_columns { format!("{cell}{space}") } else { format!("{space}{cell}") }
            })
            .collect();
        text += &format!("| {} |\n", padded.join(" | "));
        if number == 0 {
            let rules: Vec<_> = widths
                .iter()
                .enumerate()
                .map(
                    |(column, width)| {
                        if column < table.text_columns { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" }
                    },
                )
                .collect();
            text += &format!("| {} |\n", rules.join(" | "));
        }
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

/// Markdown has one header row, so groups become prefixes.
fn header(table: &TextTable) -> Vec<String> {
    let mut groups = table.groups.iter().flat_map(|(name, span)| std::iter::repeat_n(name.as_str(), *span));
    table
        .header
        .iter()
        .map(|name| match groups.next() {
            Some(group) if !group.is_empty() => format!("{}: {}", escape(group), escape(name)),
            _ => escape(name),
        })
        .collect()
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
