//! The tables of a report, and the files they go to.

use crate::ReportError;
use crate::files::Files;
use crate::paper::PublishedTable;
use crate::records::RunFolder;
use crate::tables::{
    Judgement, Summary, TextTable, comparison_table, judge, latex, markdown, paper_table, run_table, summary_csv,
    task_tables, text_csv, verdict_table, verdicts_csv,
};

/// A published table with ours beside it.
pub(crate) struct Comparison {
    /// Key of the published table.
    pub key: String,
    /// The table in its own shape; `None` if its numbers stand in the table of all numbers.
    pub table: Option<TextTable>,
    /// Verdicts in words; `None` if no run of ours stands beside any of its numbers.
    pub verdicts: Option<TextTable>,
    pub judgements: Vec<Judgement>,
}

/// All tables of a report.
pub(crate) struct Results {
    pub comparisons: Vec<Comparison>,
    /// All final numbers.
    pub all: TextTable,
    pub tasks: Vec<TextTable>,
    pub runs: TextTable,
}

impl Results {
    /// Makes the tables. A single published table of a single data set is put into the table of all numbers, column
    /// beside column; otherwise every published table keeps its own shape.
    pub fn new(runs: &[RunFolder], summary: &Summary, published: &[PublishedTable]) -> Result<Self, ReportError> {
        let merged = match published {
            [only] if !only.spans_datasets() => Some(only),
            _ => None,
        };
        let comparisons: Vec<Comparison> = published
            .iter()
            .map(|table| {
                let judgements = judge(runs, summary, table);
                Comparison {
                    key: table.key.clone(),
                    table: merged.is_none().then(|| paper_table(runs, summary, table, &judgements)),
                    verdicts: judgements.iter().any(Judgement::has_run).then(|| verdict_table(&judgements, table)),
                    judgements,
                }
            })
            .collect();
        let judgements = comparisons.first().map_or(&[][..], |only| &only.judgements);
        Ok(Self {
            all: comparison_table(runs, summary, merged, judgements),
            tasks: task_tables(runs, &summary.rows, published)?,
            runs: run_table(runs)?,
            comparisons,
        })
    }

    /// Every verdict, table by table.
    pub fn judgements(&self) -> Vec<Judgement> {
        self.comparisons.iter().flat_map(|comparison| &comparison.judgements).cloned().collect()
    }

    /// The main tables, verdicts and the run table, in the order of reading.
    pub fn terminal(&self) -> String {
        let mut tables = self.main();
        tables.push(&self.runs);
        joined(&tables)
    }

    /// Published tables in their own shape with their verdicts, then all numbers, with verdicts of what stands in there.
    fn main(&self) -> Vec<&TextTable> {
        let mut tables = Vec::new();
        for comparison in &self.comparisons {
            if let Some(table) = &comparison.table {
                tables.push(table);
                tables.extend(&comparison.verdicts);
            }
        }
        tables.push(&self.all);
        tables.extend(self.comparisons.iter().filter(|c| c.table.is_none()).filter_map(|c| c.verdicts.as_ref()));
        tables
    }

    /// Writes `table.md`, `table.tex`, `table.csv` and `runs.csv`, and with several published tables the same three under
    /// the key of each.
    pub fn write(&self, summary: &Summary, files: &mut Files<'_>) -> Result<(), ReportError> {
        let mut tables = self.main();
        tables.extend(&self.tasks);
        tables.push(&self.runs);
        files.text("table.md", &joined(&tables))?;
        let own = self.comparisons.iter().filter_map(|c| Some(latex(c.table.as_ref()?, &c.key)));
        let merged = self.comparisons.iter().find(|comparison| comparison.table.is_none());
        let all = latex(&self.all, merged.map_or("results", |comparison| &comparison.key));
        files.text("table.tex", &own.chain([all]).collect::<Vec<_>>().join("\n"))?;
        files.text("table.csv", &summary_csv(summary, &self.judgements()))?;
        files.text("runs.csv", &text_csv(&self.runs))?;
        if self.comparisons.len() > 1 {
            for Comparison { key, table, verdicts, judgements } in &self.comparisons {
                let tables: Vec<&TextTable> = table.iter().chain(verdicts).collect();
                files.text(&format!("{key}.md"), &joined(&tables))?;
                files.text(&format!("{key}.tex"), &table.iter().map(|t| latex(t, key)).collect::<String>())?;
                files.text(&format!("{key}.csv"), &verdicts_csv(judgements))?;
            }
        }
        Ok(())
    }
}

fn joined(tables: &[&TextTable]) -> String {
    tables.iter().map(|table| markdown(table)).collect::<Vec<_>>().join("\n")
}
