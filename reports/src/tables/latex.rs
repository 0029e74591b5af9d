//! LaTeX with booktabs.

use super::text::{TextCell, TextRow, TextTable};
use super::verdict::Verdict;

/// Columns that fit a page at most; wider tables are reduced to its width.
const COLUMNS: usize = 11;

/// Renders a `table` environment. Needs the packages `booktabs` and `amssymb`, for wide tables `graphicx`.
pub fn latex(table: &TextTable, label: &str) -> String {
    let columns: String = (0..table.header.len()).map(|c| if c < table.text_columns { 'l' } else { 'r' }).collect();
    let wide = table.header.len() > COLUMNS;
    let packages = ["booktabs", "amssymb", "graphicx"].map(|name| format!("\\usepackage{{{name}}}"));
    let mut text = format!("% needs {}\n", packages[..if wide { 3 } else { 2 }].join(" and "));
    text += "\\begin{table}\n  \\centering\n  \\small\n";
    text += &format!("  \\caption{{{}}}\n  \\label{{tab:{}}}\n", escape(&table.caption), slug(label));
    if wide {
        text += "  \\resizebox{\\linewidth}{!}{%\n";
    }
    text += &format!("  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
    text += &groups(table);
    let header: Vec<_> = table.header.iter().map(|name| escape(name)).collect();
    text += &format!("    {} \\\\\n    \\midrule\n", header.join(" & "));
    for (number, row) in table.rows.iter().enumerate() {
        match row {
            TextRow::Section(name) => {
                if number > 0 {
                    text += "    \\midrule\n";
                }
                text +=
                    &format!("    \\multicolumn{{{}}}{{l}}{{\\emph{{{}}}}} \\\\\n", table.header.len(), escape(name));
            }
            TextRow::Cells(cells) => {
                let cells: Vec<_> = cells.iter().map(cell).collect();
                text += &format!("    {} \\\\\n", cells.join(" & "));
            }
        }
    }
    text += &format!("    \\bottomrule\n  \\end{{tabular}}{}\n", if wide { "}" } else { "" });
    if !table.footnotes.is_empty() || !table.legend.is_empty() {
        text += "\n  \\par\\medskip\n  \\begin{minipage}{\\linewidth}\\footnotesize\n";
        for (index, note) in table.footnotes.iter().enumerate() {
            text += &format!("    \\textsuperscript{{{}}}\\,{}\\\\\n", index + 1, escape(note));
        }
        for line in &table.legend {
            text += &format!("    {}\\\\\n", escape(line));
        }
        text += "  \\end{minipage}\n";
    }
    text + "\\end{table}\n"
}

fn groups(table: &TextTable) -> String {
    if table.groups.iter().all(|(name, _)| name.is_empty()) {
        return String::new();
    }
    let (mut cells, mut rules, mut column) = (Vec::new(), Vec::new(), 1);
    for (name, span) in &table.groups {
        if name.is_empty() {
            cells.extend(std::iter::repeat_n(String::new(), *span));
        } else {
            cells.push(format!("\\multicolumn{{{span}}}{{c}}{{{}}}", escape(name)));
            rules.push(format!("\\cmidrule(lr){{{column}-{}}}", column + span - 1));
        }
        column += span;
    }
    format!("    {} \\\\\n    {}\n", cells.join(" & "), rules.join(" "))
}

fn cell(cell: &TextCell) -> String {
    let mut text = escape(&cell.text);
    if cell.best {
        text = format!("\\textbf{{{text}}}");
    }
    if let Some(verdict) = cell.verdict.filter(|verdict| verdict.words() != cell.text) {
        text += match verdict {
            Verdict::Reproduced => "~$\\checkmark$",
            Verdict::Close => "~$\\approx$",
            Verdict::NotReproduced => "~$\\times$",
            Verdict::NotComparable => "~n/c",
        };
    }
    if !cell.notes.is_empty() {
        let numbers: Vec<_> = cell.notes.iter().map(|note| (note + 1).to_string()).collect();
        text += &format!("\\textsuperscript{{{}}}", numbers.join(","));
    }
    text
}

/// A label without characters that TeX would read as commands.
fn slug(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Escapes TeX's special characters and spells the others that this crate uses.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped += "\\textbackslash{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "\\textless{}",
            '>' => escaped += "\\textgreater{}",
            '|' => escaped += "\\textbar{}",
            '`' => escaped += "\\textasciigrave{}",
            '±' => escaped += "$\\pm$",
            '↑' => escaped += "$\\uparrow$",
            '↓' => escaped += "$\\downarrow$",
            '→' => escaped += "$\\rightarrow$",
            'Δ' => escaped += "$\\Delta$",
            '≈' => escaped += "$\\approx$",
            '✓' => escaped += "$\\checkmark$",
            '✗' | '×' => escaped += "$\\times$",
            '†' => escaped += "\\textsuperscript{\\textdagger}",
            '–' => escaped += "--",
            '—' => escaped += "---",
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
