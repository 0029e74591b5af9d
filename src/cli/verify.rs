//! `harness report --verify`: ours against the published numbers, one by one.

use super::output::{counted, table};
use crate::error::Error;
use harness_reports::tables::{Judgement, Verdict, metric_name};
use serde::Serialize;

/// Every published number of an experiment's tables, with ours and the verdict.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// Whether at least one number can be compared and all that can are reproduced or close.
    verified: bool,
    reproduced: usize,
    close: usize,
    not_reproduced: usize,
    not_comparable: usize,
    cells: Vec<Cell>,
}

/// A published number.
#[derive(Debug, Serialize)]
struct Cell {
    table: String,
    dataset: String,
    variant: String,
    /// The row of the report; differs from the variant where runs of it cannot be pooled.
    row: String,
    label: String,
    guidance: &'static str,
    metric: String,
    ours: Option<f64>,
    ci: Option<[f64; 2]>,
    std: Option<f64>,
    seeds: usize,
    published: f64,
    published_spread: Option<f64>,
    certainty: &'static str,
    /// A share of the published number.
    difference: Option<f64>,
    verdict: &'static str,
    why: String,
    caveat: Option<String>,
}

impl Verification {
    /// Counts the verdicts.
    pub fn of(judgements: &[Judgement]) -> Self {
        let count = |verdict: Verdict| judgements.iter().filter(|j| j.verdict == verdict).count();
        let (reproduced, close) = (count(Verdict::Reproduced), count(Verdict::Close));
        let not_reproduced = count(Verdict::NotReproduced);
        Self {
            verified: reproduced + close > 0 && not_reproduced == 0,
            reproduced,
            close,
            not_reproduced,
            not_comparable: count(Verdict::NotComparable),
            cells: judgements.iter().map(Cell::of).collect(),
        }
    }

    /// One line per number, and a last line with the counts.
    pub fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self.cells.iter().map(Cell::line).collect();
        let lines = table(&["table", "data set", "row", "metric", "ours", "published", "verdict"], &rows);
        let Self { reproduced, close, not_reproduced, not_comparable, .. } = self;
        format!(
            "{lines}\n{}: {reproduced} reproduced, {close} close, {not_reproduced} not reproduced, {not_comparable} not \
             comparable\n",
            counted(self.cells.len(), "published number")
        )
    }

    /// Success if the published numbers are verified.
    ///
    /// # Errors
    /// [`Error::NotVerified`].
    pub fn result(&self) -> Result<(), Error> {
        let compared = self.reproduced + self.close + self.not_reproduced;
        match (self.verified, compared) {
            (true, _) => Ok(()),
            (false, 0) => Err(Error::NotVerified {
                reason: "none of the published numbers can be compared; each line says why".into(),
            }),
            (false, _) => Err(Error::NotVerified {
                reason: format!("{} of {compared} comparable numbers not reproduced", self.not_reproduced),
            }),
        }
    }
}

impl Cell {
    fn of(judgement: &Judgement) -> Self {
        let Judgement { published, .. } = judgement;
        Self {
            table: judgement.table.clone(),
            dataset: judgement.dataset.clone(),
            variant: judgement.variant.clone(),
            row: judgement.name.clone(),
            label: judgement.label.clone(),
            guidance: judgement.guidance.word(),
            metric: judgement.metric.clone(),
            ours: judgement.ours,
            ci: judgement.ci,
            std: judgement.spread,
            seeds: judgement.n,
            published: published.value,
            published_spread: published.spread,
            certainty: published.certainty.word(),
            difference: judgement.difference,
            verdict: judgement.verdict.words(),
            why: judgement.why.clone(),
            caveat: judgement.caveat.clone(),
        }
    }

    fn line(&self) -> Vec<String> {
        let decimals = if self.metric == "lpips" { 4 } else { 2 };
        let spread = self.published_spread.map(|spread| format!(" ± {spread}")).unwrap_or_default();
        let caveat = self.caveat.as_ref().map(|caveat| format!(" ({caveat})")).unwrap_or_default();
        vec![
            self.table.clone(),
            self.dataset.clone(),
            self.row.clone(),
            metric_name(&self.metric).label,
            self.ours.map_or("–".into(), |ours| format!("{ours:.decimals$}")),
            format!("{}{spread}", self.published),
            format!("{}: {}{caveat}", self.verdict, self.why),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_reports::paper::published_table;
    use harness_reports::tables::Guidance;

    fn judged(verdicts: &[Verdict]) -> Verification {
        let paper = published_table("table2").unwrap();
        let published = paper.numbers("stargan_v2", "afhq").unwrap().of("fid").unwrap();
        let judgement = |verdict: &Verdict| Judgement {
            table: "table2".into(),
            row: Some(0),
            variant: "stargan_v2".into(),
            name: "stargan_v2".into(),
            label: "StarGAN v2".into(),
            dataset: "afhq".into(),
            guidance: Guidance::Latent,
            column: Some(1),
            metric: "fid".into(),
            ours: Some(16.5),
            ci: None,
            spread: None,
            n: 1,
            published: published.clone(),
            verdict: *verdict,
            difference: Some(0.0198),
            why: "+2.0 %".into(),
            caveat: None,
        };
        Verification::of(&verdicts.iter().map(judgement).collect::<Vec<_>>())
    }

    #[test]
    fn verified_is_what_was_compared_and_came_out() {
        use Verdict::{Close, NotComparable, NotReproduced, Reproduced};
        assert!(judged(&[Reproduced, Close, NotComparable]).result().is_ok());
        let reason = |verdicts: &[Verdict]| judged(verdicts).result().unwrap_err().to_string();
        assert_eq!(
            reason(&[Reproduced, NotReproduced, NotComparable]),
            "not verified: 1 of 2 comparable numbers not reproduced"
        );
        let nothing = "not verified: none of the published numbers can be compared; each line says why";
        assert_eq!(reason(&[NotComparable]), nothing);
        assert_eq!(reason(&[]), nothing);
    }

    #[test]
    fn a_line_has_everything() {
        let text = judged(&[Verdict::Reproduced]).text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "table2  afhq      stargan_v2  FID     16.50  16.18 ± 0.15  reproduced: +2.0 %");
        assert_eq!(lines[3], "1 published number: 1 reproduced, 0 close, 0 not reproduced, 0 not comparable");
    }
}
