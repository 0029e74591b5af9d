"""Parts of scripts/gpu that train: whether precisions follow each other, and an ablation on real photographs."""
import math
import statistics
import tarfile

from session import ROOT, Failed, Skipped

# Losses of these are compared over their last so many values.
LAST_SHARE = 0.25


def losses(session, runs_dir):
    """Values of the only run in a folder, by loss, in the order of iterations."""
    sql = "SELECT name, iteration, value FROM metrics ORDER BY iteration"
    rows = session.run_harness("query", sql, "--runs-dir", runs_dir, "--format", "json").json()
    found = {}
    for row in rows:
        if row["iteration"] > 0 and row["name"] != "G/lambda_ds":
            found.setdefault(row["name"], []).append(row["value"])
    return found


def follow(session, result):
    """Short trainings that differ in precision alone, and one that differs in the seed alone: a difference of precisions
    means something only beside what another seed does."""
    base = [ROOT / "experiments/ablation.toml", "--profile", "tiny", "--only", "F", "--no-report", "--jobs", 1]
    if session.quick:
        settings = {"train.iterations": 4, "train.log_every": 1, "train.batch_size": 2}
        settings |= {"generator.max_channels": 16, "discriminator.max_channels": 16}
        settings |= {"dataset.train_per_domain": 8, "dataset.val_per_domain": 4}
    else:
        settings = {"train.iterations": 600, "train.log_every": 5, "train.image_size": 64, "optimizer.lr": 2e-4}
        settings |= {"optimizer.mapping_lr": 2e-6}
        for network in ("generator", "discriminator"):
            settings |= {f"{network}.base_channels": 64, f"{network}.max_channels": 256}
    # One evaluation, at the end, of what costs next to nothing.
    last = settings["train.iterations"]
    settings |= {f"train.{what}_every": last for what in ("sample", "checkpoint", "evaluate")}
    settings |= {"evaluation.max_sources": 2, "evaluation.max_reals": 4, "evaluation.outputs": 2}
    runs = {name: {"train.precision": name} for name in session.precisions}
    runs["another seed"] = {**runs[session.precisions[0]], "seeds": "[778]"}
    curves = {}
    for name, own in runs.items():
        runs_dir = session.work / "follow" / name.replace(" ", "-")
        sets = [part for key, value in {**settings, **own}.items() for part in ("--set", f"{key}={value}")]
        done = session.run_harness("run", *base, *sets, "--runs-dir", runs_dir, "--device", session.device)
        curves[name] = losses(session, runs_dir)
        result.setdefault("seconds", {})[name] = round(done.seconds, 1)
    result["settings"] = settings
    result["losses"] = compare(curves)
    broken = [loss for loss, row in result["losses"].items() if not all(math.isfinite(mean) for mean in row.values())]
    if broken:
        raise Failed(f"not finite: {', '.join(broken)}")


def compare(curves):
    """Means over the last values of every loss, by run."""
    names = sorted(set.intersection(*(set(curve) for curve in curves.values())))
    if not names:
        raise Failed("the runs have no loss in common")

    def mean(values):
        values = [math.nan if value is None else value for value in values]
        return statistics.fmean(values[-max(1, int(len(values) * LAST_SHARE)) :])

    return {name: {run: mean(curve[name]) for run, curve in curves.items()} for name in names}


def ablation(session, result):
    """A to F on photographs of 32 px."""
    if not session.args.data:
        raise Skipped("no photographs: give --data FILE.tar.gz with cifar_animals/{train,val}/DOMAIN")
    folder = session.work / "data"
    if not folder.exists():
        with tarfile.open(session.args.data) as archive:
            archive.extractall(folder, filter="data")
    root = folder / "cifar_animals"
    if not (root / "train").is_dir():
        raise Failed(f"{session.args.data} has no folder cifar_animals/train")
    experiment = ROOT / "experiments/cifar_animals.toml"
    sets = {"dataset.root": root}
    if session.args.weights:
        sets["evaluation.inception_2015_weights"] = session.args.weights
    if session.args.iterations:
        sets["train.iterations"] = session.args.iterations
    sets["train.precision"] = session.args.ablation_precision
    if session.quick:
        sets |= {"train.iterations": 2, "train.batch_size": 2, "train.sample_every": 2, "train.checkpoint_every": 2}
        sets |= {"evaluation.max_sources": 2, "evaluation.max_reals": 4, "evaluation.outputs": 2}
        sets |= {f"{n}.{w}_channels": 8 for n in ("generator", "discriminator") for w in ("base", "max")}
    options = ["--profile", "short", *(part for key, value in sets.items() for part in ("--set", f"{key}={value}"))]
    # Runs that are there are gone on with: with --work DIR, one call after the other.
    runs_dir = session.work / "ablation"
    place = ["--runs-dir", runs_dir, "--device", session.device, "--jobs", 1 if session.quick else session.args.jobs]
    try:
        session.run_harness("run", experiment, *options, *place)
    finally:
        sql = "SELECT variant, mode, metric, value, iteration FROM evaluations WHERE task = 'mean' ORDER BY variant"
        query = ["query", sql, "--runs-dir", runs_dir, "--format", "json"]
        if runs_dir.exists() and session.left() > 10:
            result["rows"] = session.run_harness(*query).json()
    result["settings"] = {key: str(value) for key, value in sets.items()}
    report = runs_dir / "cifar_animals-short" / "report"
    if report.is_dir():
        with tarfile.open(session.out / "ablation-report.tar.gz", "w:gz") as archive:
            archive.add(report, "report")
