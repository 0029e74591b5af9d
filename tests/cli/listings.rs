//! Commands that show what is there, for people and for programs.

use crate::support::Session;
use predicates::str::contains;
use std::sync::OnceLock;

/// A folder in which `F` has been trained once for all tests of this file.
fn trained() -> &'static Session {
    static SESSION: OnceLock<Session> = OnceLock::new();
    SESSION.get_or_init(|| {
        let session = Session::new();
        session.harness("run quick.toml --no-report").assert().success();
        session
    })
}

#[test]
fn ls() {
    let runs = trained().json("ls --format json");
    let [run] = runs.as_array().unwrap().as_slice() else { panic!("{runs}") };
    assert_eq!((&run["variant"], &run["state"], &run["iteration"]), (&"F".into(), &"finished".into(), &6.into()));
    let text = trained().output("ls quick F");
    assert!(text.contains("finished") && text.contains("6/6") && text.lines().count() == 2, "{text}");
    assert_eq!(trained().output("ls other").lines().count(), 1);
    assert_eq!(trained().json("ls --runs-dir nowhere --format json"), serde_json::json!([]));
}

#[test]
fn show() {
    let run = trained().json("show F-shapes --format json");
    assert_eq!(run["run"]["spec"]["settings"]["train"]["iterations"], 6);
    assert_eq!(run["provenance"].as_array().unwrap().len(), 1);
    let metrics: Vec<&str> =
        run["evaluation"].as_array().unwrap().iter().map(|row| row["metric"].as_str().unwrap()).collect();
    assert!(metrics.contains(&"lpips"), "{metrics:?}");
    let id = run["run"]["id"].as_str().unwrap();
    let text = trained().output(&format!("show {}", &id[..6]));
    assert!(text.contains(id) && text.contains("lpips") && text.contains("finished"), "{text}");
}

#[test]
fn logs() {
    let events = trained().json("logs F-shapes --format json");
    assert_eq!(events[0]["kind"], "started");
    trained().harness("logs F-shapes --follow").assert().success().stdout(contains("trained and evaluated"));
}

#[test]
fn query() {
    let sql = "SELECT variant, MAX(iteration) AS last FROM metrics WHERE name NOT LIKE 'parameters/%' GROUP BY variant";
    let ask = |format: &str| {
        let output = trained().harness("query").arg(sql).args(["--format", format]).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    let rows: serde_json::Value = serde_json::from_str(&ask("json")).unwrap();
    assert_eq!(rows, serde_json::json!([{"variant": "F", "last": 6}]));
    assert_eq!(ask("text"), "variant  last\nF        6\n");
}

#[test]
fn plan() {
    let runs = trained().json("plan quick.toml --only F,H --format json");
    let actions: Vec<_> = runs.as_array().unwrap().iter().map(|run| (&run["variant"], &run["action"])).collect();
    assert_eq!(actions, [(&"F".into(), &"finished".into()), (&"H".into(), &"start".into())]);
    assert_eq!(runs[0]["seconds"], 0.0);
    assert!(runs[1]["seconds"].is_null(), "no run with these settings has been measured");
    let other_seed = trained().json("plan quick.toml --set seeds=[8] --format json");
    assert!(other_seed[0]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn config() {
    let session = Session::new();
    let text = session.output("config show quick.toml");
    assert!(text.contains("+ hinge") && text.contains("longer") && text.contains("pictures"), "{text}");
    let text = session.output("config show quick.toml --variant H");
    let spec: toml::Table = text.parse().unwrap();
    assert_eq!(spec["settings"]["loss"]["adversarial"].as_str(), Some("hinge"));
    let origins = session.json("config show quick.toml --variant H --origin --format json");
    let origin = |key: &str| {
        let found = origins.as_array().unwrap().iter().find(|origin| origin["key"] == key).unwrap();
        found["origin"].as_str().unwrap().to_owned()
    };
    assert!(origin("loss.adversarial").contains("quick.toml") && origin("loss.adversarial").contains("variant.H"));
    assert!(origin("optimizer.beta2").contains("default"));
    let schema = session.json("config schema");
    assert!(schema["properties"]["variant"].is_object());
}

#[test]
fn data() {
    let session = Session::new();
    session.harness("data make shapes drawn --size 32 --train 3 --val 2").assert().success();
    assert_eq!(std::fs::read_dir(session.path("drawn/train")).unwrap().count(), 3);
    let report = session.json("data check drawn --format json");
    assert!(report.is_object());
    session.harness("data make shapes drawn").assert().code(2).stderr(contains("not empty"));
    session.harness("data check nowhere").assert().code(2).stderr(contains("nowhere"));
}

#[test]
fn help_names_every_command() {
    let text = Session::new().output("--help");
    for command in ["run", "plan", "ls", "show", "logs", "query", "report", "config", "data"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
}

#[test]
fn queries_that_cannot_be_answered() {
    let session = trained();
    for sql in ["SELEC", "DROP TABLE runs", "SELECT INTERVAL '1' FROM runs"] {
        session.harness("query").arg(sql).assert().code(2).stderr(contains("the query cannot be answered"));
    }
}

#[test]
fn places_that_cannot_be() {
    let session = trained();
    std::fs::write(session.path("file"), "").unwrap();
    session.harness("report quick.toml --only F -o file/report").assert().code(2).stderr(contains("file"));
    session.harness("run quick.toml --set train.batch_size=100000000000").assert().code(2).stderr(contains("4096"));
    session.harness("data make shapes huge --size 99999999").assert().code(2).stderr(contains("1024"));
}
