//! Whatever the file and the options hold: an answer, never a panic.

use super::{GOOD, load_text, sets};
use crate::experiment::{EMBEDDED, PlanOptions, load_embedded};
use miette::GraphicalTheme;
use proptest::prelude::*;

/// Loads, plans, and shows what is wrong.
fn survive(text: &str, options: &PlanOptions) {
    let errors = match load_text(text) {
        Err(errors) => errors,
        Ok(experiment) => match experiment.plan(options) {
            Err(errors) => errors,
            Ok(plan) => {
                assert!(!plan.runs.is_empty(), "a plan without errors has runs");
                return;
            }
        },
    };
    assert!(!errors.errors().is_empty());
    assert!(!errors.to_string().is_empty());
    assert!(!errors.render(GraphicalTheme::unicode_nocolor()).is_empty());
}

/// Pieces that experiment files are made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[experiment]\n".to_string()),
        Just("name = \"x\"\n".to_string()),
        Just("datasets = [\"d\"]\n".to_string()),
        Just("extends = \"A\"\n".to_string()),
        Just("abstract = true\n".to_string()),
        Just("train = \"ref\"\n".to_string()),
        Just("train = { iterations = 5 }\n".to_string()),
        Just("loss = [1, {a = 2}]\n".to_string()),
        Just("[[variant.A]]\n".to_string()),
        Just("source = \"shapes\"\n".to_string()),
        "\\[(defaults|dataset|variant|profile)(\\.(d|A|B|tiny|loss|train|dataset|variant)){0,4}\\]\n",
        "(loss|train|style|generator)\\.[a-z_]{1,12} = (-?[0-9]{1,20}|\"[a-z]*\"|nan|inf|true|\\[\\]|\\{\\})\n",
        "[ -~äß€\n]{0,12}",
    ]
}

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,200}|(.|\n){0,100}") {
        survive(&text, &PlanOptions::default());
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(piece(), 0..16)) {
        survive(&pieces.concat(), &PlanOptions { profile: Some("tiny".into()), ..Default::default() });
        survive(&format!("{GOOD}{}", pieces.concat()), &PlanOptions::default());
    }

    #[test]
    fn a_damaged_file(from in 0usize..9000, length in 0usize..40, put in "\\PC{0,8}") {
        let text = EMBEDDED[0].1;
        let start = text.floor_char_boundary(from);
        let end = text.floor_char_boundary(start + length);
        survive(&format!("{}{put}{}", &text[..start], &text[end..]), &PlanOptions::default());
    }

    #[test]
    fn any_set(set in "\\PC{0,40}|(.|\n){0,20}|[a-z_.]{0,20}=\\PC{0,20}|(loss|train|dataset|seeds|datasets)(\\.[a-z_]{1,12})?=\\PC{0,20}") {
        survive(GOOD, &sets(&[&set]));
    }

    #[test]
    fn any_names(name in "\\PC{0,20}") {
        let options = PlanOptions { profile: Some(name.clone()), only: vec![name.clone()], ..Default::default() };
        survive(GOOD, &options);
        let experiment = load_embedded("ablation.toml").expect("right");
        let unknown = format!("{name}!");
        prop_assert!(experiment.origins(&unknown, &name, &options).is_err());
    }
}

#[test]
fn deep_nesting_is_answered() {
    for text in [
        "[".repeat(5000),
        format!("[a{}]", ".a".repeat(5000)),
        format!("a{} = 1", ".a".repeat(5000)),
        format!("a = {}", "[".repeat(5000)),
    ] {
        survive(&text, &PlanOptions::default());
        survive(GOOD, &sets(&[&format!("loss{}", text)]));
    }
}
