//! Wrong files, and what is said about them.

use super::{GOOD, load_files, load_text, plan_text};
use crate::experiment::PlanOptions;

/// What `text`, put behind [`GOOD`] (whose tenth and last line is `[variant.F]`), is blamed for: the beginnings of the lines.
fn blamed(text: &str, expected: &[&str]) {
    let lines = plan_text(&format!("{GOOD}{text}"), &PlanOptions::default()).expect_err(text);
    let found: Vec<&str> = lines.lines().collect();
    assert_eq!(found.len(), expected.len(), "{text}\n{lines}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{text}\nfound:    {found}\nexpected: {expected}");
    }
}

#[test]
fn published_tables_are_known_by_name() {
    let with = |line: &str| GOOD.replace("name = \"good\"", &format!("name = \"good\"\n{line}"));
    let plan = |line: &str| plan_text(&with(line), &PlanOptions::default());
    assert_eq!(plan("table = \"table2\"").expect("right").tables, ["table2"]);
    assert_eq!(plan("tables = [\"table2\", \"table3\"]").expect("right").tables, ["table2", "table3"]);
    let cases = [
        ("table = \"tabel2\"", "main.toml:5:9: unknown published table \"tabel2\"; did you mean \"table2\"?"),
        ("tables = [\"table2\", \"numbers\"]", "main.toml:5:21: unknown published table \"numbers\""),
        ("tables = [\"table2\", \"table2\"]", "main.toml:5:21: \"table2\" is in `tables` twice"),
        ("tables = []", "main.toml:5:10: `tables` is empty"),
        ("tables = \"table2\"", "main.toml:5:10: `experiment.tables` must be an array"),
        ("table = \"table1\"\ntables = [\"table2\"]", "main.toml:6:1: both `table` and `tables` are given"),
    ];
    for (line, expected) in cases {
        let found = plan(line).expect_err(line);
        assert!(found.starts_with(expected), "{line}\nfound:    {found}\nexpected: {expected}");
    }
}

#[test]
fn keys_and_types() {
    let cases: &[(&str, &[&str])] = &[
        (
            "loss.lamda_ds = 2",
            &["main.toml:11:6: unknown key `lamda_ds` in `variant.F.loss`; did you mean `lambda_ds`?"],
        ),
        ("lambda_ds = 2", &["main.toml:11:1: unknown key `lambda_ds` in `variant.F`; did you mean `loss.lambda_ds`?"]),
        ("nonsense = 2", &["main.toml:11:1: unknown key `nonsense` in `variant.F` (known keys: label, description, "]),
        (
            "train.iterations = \"many\"",
            &["main.toml:11:20: `variant.F.train.iterations` must be a whole number, 0 or more, found \"many\""],
        ),
        (
            "train.iterations = -3",
            &["main.toml:11:20: `variant.F.train.iterations` must be a whole number, 0 or more, found -3"],
        ),
        (
            "train.iterations = 1.5",
            &["main.toml:11:20: `variant.F.train.iterations` must be a whole number, 0 or more, found 1.5"],
        ),
        ("optimizer.lr = true", &["main.toml:11:16: `variant.F.optimizer.lr` must be a number, found true"]),
        (
            "optimizer.lr = 2026-01-01",
            &["main.toml:11:16: `variant.F.optimizer.lr` must be a number, found the date or time 2026-01-01"],
        ),
        ("ema.enabled = \"yes\"", &["main.toml:11:15: `variant.F.ema.enabled` must be true or false, found \"yes\""]),
        ("loss = 3", &["main.toml:11:8: `variant.F.loss` must be a table, found 3"]),
        (
            "loss.adversarial = \"bse\"",
            &[
                "main.toml:11:20: \"bse\" is no value of `variant.F.loss.adversarial`; did you mean \"bce\"? (allowed: \"wgan\", \"bce\", \"hinge\")",
            ],
        ),
        (
            "loss.adversarial = 1",
            &["main.toml:11:20: `variant.F.loss.adversarial` must be one of \"wgan\", \"bce\", \"hinge\", found 1"],
        ),
        ("label = 1", &["main.toml:11:9: `variant.F.label` must be a string, found 1"]),
        ("[varient.G]", &["main.toml:11:2: unknown key `varient`; did you mean `variant`?"]),
        (
            "[dataset.other]\nroots = \"x\"",
            &["main.toml:12:1: unknown key `roots` in `dataset.other`; did you mean `root`?"],
        ),
        ("[dataset.other]\ntrain = 3", &["main.toml:12:9: `dataset.other.train` must be a string, found 3"]),
        (
            "[dataset.other]\ndomains = [\"a\", 1]",
            &["main.toml:12:17: `dataset.other.domains` must be a string, found 1"],
        ),
        ("[profile.p]\nseeds = \"all\"", &["main.toml:12:9: `profile.p.seeds` must be an array, found \"all\""]),
        ("[profile.p]\nlos = {}", &["main.toml:12:1: unknown key `los` in `profile.p`; did you mean `loss`?"]),
        ("[profile.p.variant.F]\nlabel = \"x\"", &["main.toml:12:1: unknown key `label` in `profile.p.variant.F`"]),
        ("[profile]\np = 3", &["main.toml:12:5: `profile.p` must be a table, found 3"]),
        ("[[defaults]]", &["main.toml:11:1: `defaults` must be a table, found an array"]),
        ("[\"variant\".\"a/b\"]", &["main.toml:11:12: \"a/b\" cannot be part of a folder name"]),
    ];
    for (text, expected) in cases {
        blamed(text, expected);
    }
}

#[test]
fn tables_of_other_methods() {
    let cases: &[(&str, &[&str])] = &[
        (
            "method = \"munet\"",
            &["main.toml:11:10: \"munet\" is no value of `variant.F.method`; did you mean \"munit\"?"],
        ),
        (
            "method = \"munit\"\n[variant.F.loss]\nlambda_cyc = 2",
            &["main.toml:12:12: `loss` has no effect: the method of this variant is \"munit\""],
        ),
        (
            "drit.latent_dim = 4",
            &["main.toml:11:1: `drit` has no effect: the method of this variant is \"stargan_v2\""],
        ),
    ];
    for (text, expected) in cases {
        blamed(text, expected);
    }
    let cases = [
        (
            "method = \"munit\"\nmunit.downsamplings = 8\nmunit.base_channels = 128\ntrain.image_size = 512",
            "128 channels, doubled 8 times, are more than 16384",
        ),
        ("method = \"drit\"\ntrain.iterations = 2", "a cycle of 3 iterations is longer than the 2 of training"),
        ("method = \"drit\"\noptimizer.n_critic = 5", "`optimizer.n_critic` is 5, but DRIT's cycle is"),
        ("method = \"drit\"\ntrain.sampling = \"shuffled\"", "`train.sampling` has no effect: \"drit\" trains"),
    ];
    for (text, expected) in cases {
        let text = format!("{GOOD}train.batch_size = 2\n{text}");
        let said = plan_text(&text, &PlanOptions::default()).expect_err(&text);
        assert!(said.contains(expected), "{text}\n{said}");
    }
    // What is meant for several methods may name tables that only some of them read.
    let text = format!("{GOOD}method = \"munit\"\n[defaults.loss]\nlambda_cyc = 2");
    assert!(plan_text(&text, &PlanOptions::default()).is_ok());
}

#[test]
fn ranges() {
    let cases: &[(&str, &[&str])] = &[
        (
            "train.image_size = 48",
            &["main.toml:11:20: `variant.F.train.image_size` must be a power of two from 16 to 1024, found 48"],
        ),
        ("train.image_size = 8", &["main.toml:11:20: `variant.F.train.image_size` must be a power of two"]),
        ("train.batch_size = 0", &["main.toml:11:20: `variant.F.train.batch_size` must be from 1 to 4096, found 0"]),
        ("train = { iterations = 0, log_every = 0 }", &["main.toml:11:24: ", "main.toml:11:39: "]),
        (
            "augment.flip_probability = 1.5",
            &["main.toml:11:28: `variant.F.augment.flip_probability` must be a probability, from 0 to 1, found 1.5"],
        ),
        (
            "loss.lambda_cyc = -1",
            &["main.toml:11:19: `variant.F.loss.lambda_cyc` must be finite and not negative, found -1"],
        ),
        (
            "generator.w_hpf = -1",
            &["main.toml:11:19: `variant.F.generator.w_hpf` must be finite and not negative, found -1"],
        ),
        (
            "loss.r1_gamma = nan",
            &["main.toml:11:17: `variant.F.loss.r1_gamma` must be finite and not negative, found NaN"],
        ),
        (
            "optimizer.beta1 = 1.0",
            &["main.toml:11:19: `variant.F.optimizer.beta1` must be at least 0 and less than 1, found 1.0"],
        ),
        ("optimizer.lr = 0", &["main.toml:11:16: `variant.F.optimizer.lr` must be finite and greater than 0, found 0"]),
        (
            "[dataset.other]\ndomains = [\"a\"]",
            &["main.toml:12:11: `dataset.other.domains` must be two or more different domain names"],
        ),
        (
            "[profile.p.variant.F.ema]\ndecay = 1",
            &["main.toml:12:9: `profile.p.variant.F.ema.decay` must be at least 0 and less than 1, found 1"],
        ),
        (
            "[defaults.evaluation]\nmax_reals = 1",
            &["main.toml:12:13: `defaults.evaluation.max_reals` must be at least 2, found 1"],
        ),
    ];
    for (text, expected) in cases {
        blamed(text, expected);
    }
}

#[test]
fn names() {
    let cases: &[(&str, &[&str])] = &[
        ("extends = \"E\"", &["main.toml:11:11: unknown variant \"E\" (known: F)"]),
        (
            "[variant.hinge]\nextends = \"hinged\"",
            &["main.toml:12:11: unknown variant \"hinged\"; did you mean \"hinge\"?"],
        ),
        ("extends = \"F\"", &["main.toml:11:11: variant \"F\" extends itself: F -> F"]),
        (
            "extends = \"G\"\n[variant.G]\nextends = \"F\"",
            &[
                "main.toml:11:11: variant \"F\" extends itself: F -> G -> F",
                "main.toml:13:11: variant \"G\" extends itself: G -> F -> G",
            ],
        ),
        (
            "[profile.p]\ndatasets = [\"drawm\"]",
            &["main.toml:12:13: unknown data set \"drawm\"; did you mean \"drawn\"?"],
        ),
        ("[profile.p]\nvariants = [\"F\", \"F\"]", &["main.toml:12:18: \"F\" is in `variants` twice"]),
        ("[profile.p]\nseeds = []", &["main.toml:12:9: `seeds` is empty"]),
        ("[profile.p.variant.X]", &["main.toml:11:20: unknown variant \"X\""]),
        ("[profile.p.dataset.draw]", &["main.toml:11:20: unknown data set \"draw\"; did you mean \"drawn\"?"]),
        (
            "[variant.base]\nabstract = true\n[profile.p]\nvariants = [\"base\"]",
            &["main.toml:14:13: variant \"base\" is abstract"],
        ),
    ];
    for (text, expected) in cases {
        blamed(text, expected);
    }
}

#[test]
fn values_that_do_not_go_together() {
    let cases: &[(&str, &[&str])] = &[
        (
            "style.source = \"label\"\nloss = { lambda_sty = 0.0, diversity = false }",
            &["main.toml:11:16: `phases.reference` is on, but `style.source` is \"label\" (variant F)"],
        ),
        (
            "style.source = \"label_and_latent\"\nphases.reference = false",
            &["main.toml:11:16: `loss.lambda_sty` is 1, but `style.source` is \"label_and_latent\" (variant F)"],
        ),
        (
            "style.source = \"label\"\nphases.reference = false\nloss.lambda_sty = 0",
            &["main.toml:11:16: `loss.diversity` is on, but with `style.source` = \"label\" there is nothing"],
        ),
        (
            "loss.lambda_latent = 1",
            &["main.toml:11:22: `loss.lambda_latent` is 1, but `style.source` is \"style_code\""],
        ),
        ("loss.lambda_cls = 1", &["main.toml:11:19: `loss.lambda_cls` is 1, but the discriminator has no classifier"]),
        ("discriminator.head = \"acgan\"", &["main.toml:11:22: `discriminator.head` is \"acgan\", but nothing trains"]),
        (
            "generator.arch = \"stargan\"",
            &["main.toml:11:18: the generator \"stargan\" cannot be conditioned by \"adain\""],
        ),
        (
            "generator.conditioning = \"concat\"",
            &["main.toml:11:26: the generator \"stargan_v2\" cannot be conditioned"],
        ),
        (
            "discriminator.arch = \"stargan\"\ntrain.image_size = 32",
            &["main.toml:12:20: a discriminator of 6 strided layers needs images of at least 2^6 pixels, not 32"],
        ),
        (
            "method = \"munit\"\ntrain.image_size = 32",
            &["main.toml:12:20: a discriminator of 4 strided layers at 3 scales needs images of at least 2^6 pixels"],
        ),
        (
            "generator.w_hpf = 1\ntrain.image_size = 16",
            &[
                "main.toml:11:19: `generator.w_hpf` is 1, and high-pass skips act on 32 pixels and more, not on images of 16",
            ],
        ),
        ("augment.crop_min_aspect = 1.2", &["main.toml:11:27: `augment.crop_min_aspect` is 1.2, more than"]),
        (
            "phases = { reference = false, reference_trains_style_encoder = true }",
            &["main.toml:11:64: `phases.reference_trains_style_encoder` has no effect"],
        ),
    ];
    for (text, expected) in cases {
        blamed(text, expected);
    }
}

#[test]
fn data_sets_that_do_not_go_together() {
    let with = |fields: &str| format!("[experiment]\nname = \"x\"\n[variant.F]\n[variant.G]\n[dataset.d]\n{fields}");
    let error = |fields: &str| plan_text(&with(fields), &PlanOptions::default()).expect_err(fields);
    assert!(error("").starts_with("main.toml:5:1: the data set has no `root`"), "{}", error(""));
    assert!(error("source = \"shapes\"\nroot = \"x\"").starts_with("main.toml:7:8: `root` has no effect"));
    assert!(error("root = \"x\"\nseed = 1").starts_with("main.toml:7:8: `seed` has no effect"));
    assert_eq!(error("").lines().count(), 1, "the two variants share the one error");
}

#[test]
fn syntax() {
    let cases = [
        ("[variant.F\n", "main.toml:1:11: not valid TOML: "),
        ("a = \n", "main.toml:1:5: not valid TOML: "),
        ("[experiment]\nname = \"x\"\nname = \"y\"\n", "main.toml:3:1: not valid TOML: duplicate key"),
        ("x = 99999999999999999999", "main.toml:1:5: not valid TOML: "),
    ];
    for (text, expected) in cases {
        let lines = load_text(text).expect_err(text).to_string();
        assert!(lines.starts_with(expected), "{lines}");
    }
}

#[test]
fn header() {
    let cases = [
        ("", "main.toml:1:1: there is no table [experiment]"),
        ("[experiment]\n", "main.toml:1:1: [experiment] has no `name`"),
        ("experiment = 1\n", "main.toml:1:14: `experiment` must be a table, found 1"),
        ("[experiment]\nname = \"../x\"", "main.toml:2:8: \"../x\" cannot be part of a folder name"),
        ("[experiment]\nname = \"\"", "main.toml:2:8: \"\" cannot be part of a folder name"),
        (
            "[experiment]\nname = \"x\"\ntabel = \"table1\"",
            "main.toml:3:1: unknown key `tabel` in `experiment`; did you mean `table`?",
        ),
    ];
    for (text, expected) in cases {
        let lines = load_text(text).expect_err(text).to_string();
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(lines.starts_with(expected), "{lines}");
    }
}

#[test]
fn all_errors_in_one_pass_in_the_order_of_the_text() {
    blamed(
        "los.x = 1\nloss = { r1_gama = 1, lambda_cyc = -1, adversarial = \"x\" }\n[variant.G]\nextends = \"H\"\ntrain.iterations = \"x\"",
        &[
            "main.toml:11:1: unknown key `los`",
            "main.toml:12:10: unknown key `r1_gama`",
            "main.toml:12:36: `variant.F.loss.lambda_cyc` must be finite",
            "main.toml:12:54: \"x\" is no value",
            "main.toml:14:11: unknown variant \"H\"",
            "main.toml:15:20: `variant.G.train.iterations` must be a whole number",
        ],
    );
}

#[test]
fn files_that_extend_each_other_in_a_circle() {
    let a = "[experiment]\nname = \"a\"\nextends = \"sub/../b.toml\"";
    let b = "[experiment]\nname = \"b\"\nextends = \"./main.toml\"";
    let lines = load_files(&[("main.toml", a), ("sub/../b.toml", b), ("sub/.././main.toml", a)]).expect_err("a circle");
    assert!(lines.to_string().starts_with("sub/../b.toml:3:11: "), "{lines}");
    assert!(lines.to_string().contains("extends itself"), "{lines}");
}

#[test]
fn files_that_are_not_there() {
    let lines = load_files(&[]).expect_err("no file").to_string();
    assert!(lines.starts_with("cannot read main.toml: no such file"), "{lines}");
    let lines = load_text("[experiment]\nname = \"a\"\nextends = \"base.toml\"").expect_err("no base").to_string();
    assert!(lines.starts_with("main.toml:3:11: cannot read base.toml: no such file"), "{lines}");
}

#[test]
fn files_that_are_no_text() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.toml");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).expect("written");
    let lines = crate::experiment::load(&path).expect_err("not UTF-8").to_string();
    assert!(lines.contains("x.toml") && lines.contains("UTF-8"), "{lines}");
    let lines = crate::experiment::load(folder.path()).expect_err("a folder").to_string();
    assert!(lines.starts_with("cannot read "), "{lines}");
}

#[test]
fn a_wrong_value_in_a_base_file_is_blamed_there() {
    let base = "[experiment]\nname = \"base\"\n[dataset.d]\nsource = \"shapes\"\n[variant.F]\nloss.lambda_cls = 1";
    let main = "[experiment]\nname = \"main\"\nextends = \"base.toml\"";
    let experiment = load_files(&[("main.toml", main), ("base.toml", base)]).expect("structure is right");
    let lines = experiment.plan(&PlanOptions::default()).expect_err("no classifier").to_string();
    assert!(lines.starts_with("base.toml:6:19: `loss.lambda_cls` is 1"), "{lines}");
}
