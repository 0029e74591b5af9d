//! HTML of tables and text.

use crate::tables::{TextCell, TextRow, TextTable, Verdict};

/// Escapes text for content and attribute values.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}

/// A table with its caption, footnotes and legend. `id` makes footnote links unique on the page.
pub(crate) fn table(table: &TextTable, id: &str) -> String {
    let mut html = String::new();
    if table.stacked {
        for (index, (name, columns)) in table.blocks().iter().enumerate() {
            let caption = if index == 0 { table.caption.as_str() } else { "" };
            let groups = [(String::new(), table.text_columns), (name.to_string(), columns.len() - table.text_columns)];
            html += &block(table, id, caption, &groups, columns);
        }
    } else {
        html += &block(table, id, &table.caption, &table.groups, &(0..table.header.len()).collect::<Vec<_>>());
    }
    if !table.footnotes.is_empty() {
        html += "<ol class=\"notes\">\n";
        for (index, note) in table.footnotes.iter().enumerate() {
            html += &format!("<li id=\"{id}-note-{}\">{}</li>\n", index + 1, escape(note));
        }
        html += "</ol>\n";
    }
    if !table.legend.is_empty() {
        html += "<ul class=\"notes\">\n";
        for line in &table.legend {
            html += &format!("<li>{}</li>\n", escape(line));
        }
        html += "</ul>\n";
    }
    html
}

/// Some columns as one table.
fn block(table: &TextTable, id: &str, caption: &str, groups: &[(String, usize)], columns: &[usize]) -> String {
    let mut html = String::from("<div class=\"scroll\"><table>\n");
    if !caption.is_empty() {
        html += &format!("<caption>{}</caption>\n", escape(caption));
    }
    html += "<thead>\n";
    if groups.iter().any(|(name, _)| !name.is_empty()) {
        html += "<tr class=\"groups\">";
        for (name, span) in groups {
            html += &format!("<th colspan=\"{span}\">{}</th>", escape(name));
        }
        html += "</tr>\n";
    }
    html += "<tr>";
    for column in columns {
        let class = if *column < table.text_columns { " class=\"text\"" } else { "" };
        html += &format!("<th{class} scope=\"col\">{}</th>", header(&table.header[*column]));
    }
    html += "</tr>\n</thead>\n<tbody>\n";
    for row in &table.rows {
        match row {
            TextRow::Section(name) => {
                let span = columns.len();
                html += &format!("<tr class=\"section\"><td colspan=\"{span}\">{}</td></tr>\n", escape(name));
            }
            TextRow::Cells(cells) => {
                html += "<tr>";
                for column in columns {
                    html += &cell(&cells[*column], *column < table.text_columns, id);
                }
                html += "</tr>\n";
            }
        }
    }
    html + "</tbody></table></div>\n"
}

/// An arrow stays with its word.
fn header(name: &str) -> String {
    escape(name).replace(" ↑", "&nbsp;↑").replace(" ↓", "&nbsp;↓")
}

fn cell(cell: &TextCell, text: bool, id: &str) -> String {
    let mut classes = Vec::new();
    if text {
        classes.push("text");
    }
    if text && cell.text.chars().count() > 60 {
        classes.push("wide");
    }
    if cell.best {
        classes.push("best");
    }
    let mut content = escape(&cell.text);
    if let Some(verdict) = cell.verdict {
        let class = class_of(verdict);
        content = if verdict.words() == cell.text {
            format!("<span class=\"{class}\">{content}</span>")
        } else {
            format!("{content}<span class=\"tag {class}\" title=\"{}\">{}</span>", verdict.words(), verdict.mark())
        };
    }
    if !cell.notes.is_empty() {
        let links: Vec<_> =
            cell.notes.iter().map(|note| format!("<a href=\"#{id}-note-{0}\">{0}</a>", note + 1)).collect();
        content += &format!("<sup>{}</sup>", links.join(","));
    }
    let class = if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) };
    format!("<td{class}>{content}</td>")
}

fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "reproduced",
        Verdict::Close => "close",
        Verdict::NotReproduced => "not-reproduced",
        Verdict::NotComparable => "not-comparable",
    }
}
