//! The tables as text.

#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code, reason = "shared with the other tests of reports")]
mod synthetic;

use harness_reports::paper::published_table;
use harness_reports::records::{RunFolder, RunState};
use harness_reports::tables::{
    TextCell, TextRow, TextTable, comparison_table, judge, latex, markdown, rows, run_table, summarise, summary_csv,
    task_tables, verdict_table,
};
use synthetic::Run;

/// A, D and F, F with two seeds, and an interrupted E.
fn runs() -> Vec<RunFolder> {
    let folder = tempfile::tempdir().unwrap();
    let plain = |place: usize| Run { sheets: false, ..Run::of(place) };
    [
        plain(0),
        plain(3),
        Run { state: RunState::Interrupted, iteration: 400, ..plain(4) },
        plain(5),
        Run { seed: 2, ..plain(5) },
    ]
    .iter()
    .map(|run| RunFolder::load(&run.write(folder.path())).unwrap())
    .collect()
}

#[test]
fn the_main_table_as_markdown() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let verdicts = judge(&runs, &summary, &paper);
    let table = comparison_table(&runs, &summary, Some(&paper), &verdicts);
    insta::assert_snapshot!(markdown(&table), @"
    **Ours beside the published table: Choi et al., StarGAN v2: Diverse Image Synthesis for Multiple Domains, CVPR 2020, Table 1**

    Latent-guided

    | Method                            |               LPIPS ↑ |             paper LPIPS | FID ↓ |            paper FID |     FD (AlexNet) ↓ |
    | --------------------------------- | --------------------: | ----------------------: | ----: | -------------------: | -----------------: |
    | (A) Baseline StarGAN              |                 – [1] |                   – [2] | – [3] |        98.4† n/c [4] |              133.8 |
    | (D) + Latent code injection       |                 0.084 |          0.312† n/c [6] | – [3] |        32.3† n/c [7] |               62.5 |
    | (E) + Replace (D) with style code |                 – [8] |          0.405† n/c [9] | – [8] |        17.1† n/c [9] |              – [8] |
    | (F) + Diversity regularization    | **0.319 ± 0.007 (2)** | 0.4515 ± 0.0006 n/c [6] | – [3] | 13.73 ± 0.06 n/c [7] | **39.8 ± 1.6 (2)** |

    Reference-guided

    | Method                            |           LPIPS ↑ | FID ↓ |   FD (AlexNet) ↓ |
    | --------------------------------- | ----------------: | ----: | ---------------: |
    | (A) Baseline StarGAN              |             – [5] | – [5] |            – [5] |
    | (D) + Latent code injection       |             – [5] | – [5] |            – [5] |
    | (E) + Replace (D) with style code |             – [8] | – [8] |            – [8] |
    | (F) + Diversity regularization    | 0.282 ± 0.006 (2) | – [3] | 44.98 ± 1.84 (2) |

    Control: one output per source

    | Method                            | FD (AlexNet) ↓, latent | FD (AlexNet) ↓, reference |
    | --------------------------------- | ---------------------: | ------------------------: |
    | (A) Baseline StarGAN              |                  133.8 |                     – [5] |
    | (D) + Latent code injection       |                   65.6 |                     – [5] |
    | (E) + Replace (D) with style code |                  – [8] |                     – [8] |
    | (F) + Diversity regularization    |     **43.1 ± 0.3 (2)** |          48.69 ± 0.36 (2) |

    - [1] one output per source image: diversity is not defined
    - [2] not published for this row
    - [3] no Inception weights: set evaluation.inception_weights
    - [4] not comparable: no number of ours: no Inception weights: set evaluation.inception_weights; data set `shapes` instead of `celeba_hq`; profile `tiny`: batch_size 8 instead of 16, image_size 32 instead of 256, iterations 600 instead of 200000
    - [5] the configuration has no reference-guided mode
    - [6] not comparable: data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000
    - [7] not comparable: no number of ours: no Inception weights: set evaluation.inception_weights; data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000
    - [8] run c9136fea was interrupted at iteration 400 of 600: stopped by SIGINT
    - [9] not comparable: no number of ours: run c9136fea was interrupted at iteration 400 of 600: stopped by SIGINT; data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000

    - Ours: mean ± sample standard deviation over training seeds (number of seeds).
    - Rows without a latent code have one output per source image and stand under latent guidance, as in the paper; the columns of the control with one output compare all rows at the same number of samples.
    - ✓ reproduced: within 5 % of the published number or within twice the known spread; ≈ close: within 15 %; ✗ not reproduced; n/c not comparable.
    - † Published number quoted from memory of the paper: check before citing.
    - The published FID of A–C is over one output per source image, that of D–F over ten: part of the step from C to D is the number of samples.
    - The published spread of F is over ten evaluation seeds of one checkpoint, not over training seeds.
    - LPIPS: protocol lpips-alex-v0.1/stargan-v2-batch32/native32/signed-unclamped/2c6ac526.
    - FID: protocol fid/pytorch-fid.
    - FD (AlexNet): protocol fd_alexnet/conv5-mean/native32/u8/2c6ac526.
    ");
}

#[test]
fn the_main_table_as_latex() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let verdicts = judge(&runs, &summary, &paper);
    let mut table = comparison_table(&runs, &summary, Some(&paper), &verdicts);
    table.legend.clear();
    insta::assert_snapshot!(latex(&table, "table1"), @r"
    % needs \usepackage{booktabs} and \usepackage{amssymb}
    \begin{table}
      \centering
      \small
      \caption{Ours beside the published table: Choi et al., StarGAN v2: Diverse Image Synthesis for Multiple Domains, CVPR 2020, Table 1}
      \label{tab:table1}
      \begin{tabular}{lrrrrrrrrrr}
        \toprule
         & \multicolumn{5}{c}{Latent-guided} & \multicolumn{3}{c}{Reference-guided} & \multicolumn{2}{c}{Control: one output per source} \\
        \cmidrule(lr){2-6} \cmidrule(lr){7-9} \cmidrule(lr){10-11}
        Method & LPIPS $\uparrow$ & paper LPIPS & FID $\downarrow$ & paper FID & FD (AlexNet) $\downarrow$ & LPIPS $\uparrow$ & FID $\downarrow$ & FD (AlexNet) $\downarrow$ & FD (AlexNet) $\downarrow$, latent & FD (AlexNet) $\downarrow$, reference \\
        \midrule
        (A) Baseline StarGAN & --\textsuperscript{1} & --\textsuperscript{2} & --\textsuperscript{3} & 98.4\textsuperscript{\textdagger}~n/c\textsuperscript{4} & 133.8 & --\textsuperscript{5} & --\textsuperscript{5} & --\textsuperscript{5} & 133.8 & --\textsuperscript{5} \\
        (D) + Latent code injection & 0.084 & 0.312\textsuperscript{\textdagger}~n/c\textsuperscript{6} & --\textsuperscript{3} & 32.3\textsuperscript{\textdagger}~n/c\textsuperscript{7} & 62.5 & --\textsuperscript{5} & --\textsuperscript{5} & --\textsuperscript{5} & 65.6 & --\textsuperscript{5} \\
        (E) + Replace (D) with style code & --\textsuperscript{8} & 0.405\textsuperscript{\textdagger}~n/c\textsuperscript{9} & --\textsuperscript{8} & 17.1\textsuperscript{\textdagger}~n/c\textsuperscript{9} & --\textsuperscript{8} & --\textsuperscript{8} & --\textsuperscript{8} & --\textsuperscript{8} & --\textsuperscript{8} & --\textsuperscript{8} \\
        (F) + Diversity regularization & \textbf{0.319 $\pm$ 0.007 (2)} & 0.4515 $\pm$ 0.0006~n/c\textsuperscript{6} & --\textsuperscript{3} & 13.73 $\pm$ 0.06~n/c\textsuperscript{7} & \textbf{39.8 $\pm$ 1.6 (2)} & 0.282 $\pm$ 0.006 (2) & --\textsuperscript{3} & 44.98 $\pm$ 1.84 (2) & \textbf{43.1 $\pm$ 0.3 (2)} & 48.69 $\pm$ 0.36 (2) \\
        \bottomrule
      \end{tabular}

      \par\medskip
      \begin{minipage}{\linewidth}\footnotesize
        \textsuperscript{1}\,one output per source image: diversity is not defined\\
        \textsuperscript{2}\,not published for this row\\
        \textsuperscript{3}\,no Inception weights: set evaluation.inception\_weights\\
        \textsuperscript{4}\,not comparable: no number of ours: no Inception weights: set evaluation.inception\_weights; data set \textasciigrave{}shapes\textasciigrave{} instead of \textasciigrave{}celeba\_hq\textasciigrave{}; profile \textasciigrave{}tiny\textasciigrave{}: batch\_size 8 instead of 16, image\_size 32 instead of 256, iterations 600 instead of 200000\\
        \textsuperscript{5}\,the configuration has no reference-guided mode\\
        \textsuperscript{6}\,not comparable: data set \textasciigrave{}shapes\textasciigrave{} instead of \textasciigrave{}celeba\_hq\textasciigrave{}; profile \textasciigrave{}tiny\textasciigrave{}: image\_size 32 instead of 256, iterations 600 instead of 100000\\
        \textsuperscript{7}\,not comparable: no number of ours: no Inception weights: set evaluation.inception\_weights; data set \textasciigrave{}shapes\textasciigrave{} instead of \textasciigrave{}celeba\_hq\textasciigrave{}; profile \textasciigrave{}tiny\textasciigrave{}: image\_size 32 instead of 256, iterations 600 instead of 100000\\
        \textsuperscript{8}\,run c9136fea was interrupted at iteration 400 of 600: stopped by SIGINT\\
        \textsuperscript{9}\,not comparable: no number of ours: run c9136fea was interrupted at iteration 400 of 600: stopped by SIGINT; data set \textasciigrave{}shapes\textasciigrave{} instead of \textasciigrave{}celeba\_hq\textasciigrave{}; profile \textasciigrave{}tiny\textasciigrave{}: image\_size 32 instead of 256, iterations 600 instead of 100000\\
      \end{minipage}
    \end{table}
    ");
}

#[test]
fn the_summary_as_csv() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let verdicts = judge(&runs, &summary, &paper);
    let csv = summary_csv(&summary, &verdicts);
    let f: Vec<&str> = csv.lines().filter(|l| l.starts_with("dataset") || l.contains(",F,")).collect();
    insta::assert_snapshot!(f.join("\n"), @r#"
    dataset,variant,ordinal,label,profile,guidance,single_output_control,metric,protocol,outputs,seeds,mean,std,ci_low,ci_high,missing,published,published_spread,certainty,verdict,why,table
    shapes,F,1,+ Diversity regularization,tiny,latent,false,lpips,lpips-alex-v0.1/stargan-v2-batch32/native32/signed-unclamped/2c6ac526,10,2,0.31917580089882025,0.007157617063631721,,,,0.4515,0.0006,confirmed,not comparable,"data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000",table1
    shapes,F,1,+ Diversity regularization,tiny,latent,false,fid,fid/pytorch-fid,,0,,,,,no Inception weights: set evaluation.inception_weights,13.73,0.06,confirmed,not comparable,"no number of ours: no Inception weights: set evaluation.inception_weights; data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000",table1
    shapes,F,1,+ Diversity regularization,tiny,latent,false,fd_alexnet,fd_alexnet/conv5-mean/native32/u8/2c6ac526,10,2,39.809182378502754,1.6318963924474854,,,,,,,,,
    shapes,F,1,+ Diversity regularization,tiny,reference,false,lpips,lpips-alex-v0.1/stargan-v2-batch32/native32/signed-unclamped/2c6ac526,10,2,0.2824564609724073,0.006334174392594493,,,,,,,,,
    shapes,F,1,+ Diversity regularization,tiny,reference,false,fid,fid/pytorch-fid,,0,,,,,no Inception weights: set evaluation.inception_weights,,,,,,
    shapes,F,1,+ Diversity regularization,tiny,reference,false,fd_alexnet,fd_alexnet/conv5-mean/native32/u8/2c6ac526,10,2,44.98437608770811,1.8440429234656617,,,,,,,,,
    shapes,F,1,+ Diversity regularization,tiny,latent,true,fd_alexnet,fd_alexnet/conv5-mean/native32/u8/2c6ac526,1,2,43.08980551448025,0.32032245059774467,,,,,,,,,
    shapes,F,1,+ Diversity regularization,tiny,reference,true,fd_alexnet,fd_alexnet/conv5-mean/native32/u8/2c6ac526,1,2,48.69148023136266,0.3619643691754519,,,,,,,,,
    "#);
}

#[test]
fn verdicts_runs_and_tasks_as_markdown() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let mut text = markdown(&verdict_table(&judge(&runs, &summary, &paper), &paper));
    text += "\n";
    text += &markdown(&run_table(&runs).unwrap());
    text += "\n";
    text += &markdown(&task_tables(&runs, &summary.rows, &[]).unwrap()[0]);
    insta::assert_snapshot!(text, @"
    **Verdicts against Choi et al., StarGAN v2: Diverse Image Synthesis for Multiple Domains, CVPR 2020, Table 1**

    | Method | Metric  | Verdict            |  Ours |       Published | Difference |
    | ------ | ------- | ------------------ | ----: | --------------: | ---------: |
    | (A)    | FID ↓   | not comparable [1] |     – |           98.4† |          – |
    | (D)    | LPIPS ↑ | not comparable [2] | 0.084 |          0.312† |          – |
    | (D)    | FID ↓   | not comparable [3] |     – |           32.3† |          – |
    | (E)    | LPIPS ↑ | not comparable [4] |     – |          0.405† |          – |
    | (E)    | FID ↓   | not comparable [4] |     – |           17.1† |          – |
    | (F)    | LPIPS ↑ | not comparable [2] | 0.319 | 0.4515 ± 0.0006 |          – |
    | (F)    | FID ↓   | not comparable [3] |     – |    13.73 ± 0.06 |          – |

    - [1] no number of ours: no Inception weights: set evaluation.inception_weights; data set `shapes` instead of `celeba_hq`; profile `tiny`: batch_size 8 instead of 16, image_size 32 instead of 256, iterations 600 instead of 200000
    - [2] data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000
    - [3] no number of ours: no Inception weights: set evaluation.inception_weights; data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000
    - [4] no number of ours: run c9136fea was interrupted at iteration 400 of 600: stopped by SIGINT; data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000

    **Runs**

    | Run      | Variant | Data set | State           | Device | Seed | Iterations |       Time | it/s | Parameters |
    | -------- | ------- | -------- | --------------- | ------ | ---: | ---------: | ---------: | ---: | ---------: |
    | 50a15375 | A       | shapes   | finished        | cpu    |    1 |        600 | 1 min 01 s | 9.84 |    412,345 |
    | 595f02d3 | D       | shapes   | finished        | cpu    |    1 |        600 | 1 min 53 s | 5.31 |    412,345 |
    | c9136fea | E       | shapes   | interrupted [1] | cpu    |    1 | 400 of 600 | 2 min 10 s | 3.07 |    412,345 |
    | 09ddd702 | F       | shapes   | finished        | cpu    |    1 |        600 | 2 min 28 s | 4.07 |    412,345 |
    | d37d2f79 | F       | shapes   | finished        | cpu    |    2 |        600 | 2 min 28 s | 4.07 |    412,345 |

    - [1] stopped by SIGINT

    **LPIPS ↑ per task, latent-guided (protocol lpips-alex-v0.1/stargan-v2-batch32/native32/signed-unclamped/2c6ac526)**

    | Method                            |     disc → square |   disc → triangle |     square → disc | square → triangle |   triangle → disc | triangle → square |              mean |
    | --------------------------------- | ----------------: | ----------------: | ----------------: | ----------------: | ----------------: | ----------------: | ----------------: |
    | (A) Baseline StarGAN              |             – [1] |             – [1] |             – [1] |             – [1] |             – [1] |             – [1] |             – [1] |
    | (D) + Latent code injection       |             0.082 |             0.085 |             0.083 |             0.084 |             0.081 |             0.084 |             0.084 |
    | (E) + Replace (D) with style code |             – [2] |             – [2] |             – [2] |             – [2] |             – [2] |             – [2] |             – [2] |
    | (F) + Diversity regularization    | 0.316 ± 0.005 (2) | 0.313 ± 0.004 (2) | 0.313 ± 0.001 (2) | 0.310 ± 0.001 (2) | 0.322 ± 0.000 (2) | 0.317 ± 0.003 (2) | 0.319 ± 0.007 (2) |

    - [1] one output per source image: diversity is not defined
    - [2] run c9136fea was interrupted at iteration 400 of 600: stopped by SIGINT
    ");
}

#[test]
fn markup_in_names_stays_text() {
    let table = TextTable {
        caption: "50 % of R&D_{x}".into(),
        header: vec!["a|b".into(), "<c>".into()],
        text_columns: 1,
        rows: vec![TextRow::Cells(vec![TextCell::new("\\alpha ~ # ^"), TextCell::new("1 ± 2")])],
        ..TextTable::default()
    };
    insta::assert_snapshot!(markdown(&table), @r#"
    **50 % of R&D_{x}**

    | a\|b          | \<c\> |
    | ------------- | ----: |
    | \\alpha ~ # ^ | 1 ± 2 |
    "#);
    let tex = latex(&table, "a_b");
    assert!(tex.contains(r"\caption{50 \% of R\&D\_\{x\}}") && tex.contains(r"\label{tab:a-b}"), "{tex}");
    assert!(tex.contains(r"\textbackslash{}alpha \textasciitilde{} \# \textasciicircum{} & 1 $\pm$ 2 \\"), "{tex}");
}
