//! Errors as the user sees them.

use super::{GOOD, load_text, sets};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

#[test]
fn an_unknown_key_is_shown_in_its_line() {
    let errors = load_text(&format!("{GOOD}loss.lamda_ds = 2\n")).expect_err("a typo");
    insta::assert_snapshot!(errors.render(GraphicalTheme::unicode_nocolor()), @r#"
      × unknown key `lamda_ds` in `variant.F.loss`; did you mean `lambda_ds`?
        ╭─[main.toml:11:6]
     10 │ [variant.F]
     11 │ loss.lamda_ds = 2
        ·      ────────
        ╰────
      help: known keys: adversarial, gradient_penalty, r1_gamma, lambda_gp, lambda_cls, lambda_cyc,
            lambda_latent, lambda_sty, diversity, lambda_ds, ds_iterations
    "#);
}

#[test]
fn several_errors_are_shown_one_after_the_other() {
    let errors =
        load_text(&format!("{GOOD}train.image_size = 48\n[variant.G]\nextends = \"H\"\n")).expect_err("two errors");
    insta::assert_snapshot!(errors.render(GraphicalTheme::unicode_nocolor()), @r#"
      × `variant.F.train.image_size` must be a power of two from 16 to 1024, found 48
        ╭─[main.toml:11:20]
     10 │ [variant.F]
     11 │ train.image_size = 48
        ·                    ──
     12 │ [variant.G]
        ╰────
      × unknown variant "H"
        ╭─[main.toml:13:11]
     12 │ [variant.G]
     13 │ extends = "H"
        ·           ───
        ╰────
      help: known: F, G
    "#);
}

#[test]
fn a_wrong_option_is_shown_as_typed() {
    let errors = load_text(GOOD).expect("right").plan(&sets(&["loss.lambda_ds=x"])).expect_err("no number");
    insta::assert_snapshot!(errors.render(GraphicalTheme::unicode_nocolor()), @r#"
      × `loss.lambda_ds` must be a number, found "x"
       ╭─[--set loss.lambda_ds=x:1:16]
     1 │ loss.lambda_ds=x
       ·                ─
       ╰────
    "#);
}

#[test]
fn as_one_diagnostic_all_errors_are_related() {
    let errors = load_text(&format!("{GOOD}train.image_size = 48\nlabel = 1\n")).expect_err("two errors");
    assert_eq!(errors.related().map(Iterator::count), Some(2));
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none());
    handler.render_report(&mut out, &errors).expect("rendered");
    assert!(out.contains("[main.toml:11:20]") && out.contains("[main.toml:12:9]"), "{out}");
    let positions: Vec<_> = errors.errors().iter().filter_map(|e| e.position()).map(|p| (p.line, p.column)).collect();
    assert_eq!(positions, [(11, 20), (12, 9)]);
}
