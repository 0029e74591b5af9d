//! What the binary says when it cannot do what it was asked to, and its exit codes.

use crate::bench::BenchError;
use crate::checkpoints::CheckpointError;
use crate::data::DataError;
use crate::experiment::ConfigErrors;
use crate::measure::MeasureError;
use crate::methods::stargan_v2::landmarks::LandmarkError;
use crate::store::{StoreError, is_wrong_path};
use crate::train::TrainError;
use crate::translate::TranslateError;
use crate::weights::WeightsError;
use harness_reports::ReportError;
use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code when a run failed or the program could not do its work.
pub const FAILED: u8 = 1;
/// Exit code when the input is wrong: experiment file, options, data.
pub const BAD_INPUT: u8 = 2;
/// Exit code when `report --verify` did not verify the published numbers.
pub const NOT_VERIFIED: u8 = 3;

/// Why a command ended without success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The experiment file, or an option that changes it, is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A data set cannot be used.
    #[error("data set `{name}` cannot be used")]
    Data {
        /// Key of the data set in the experiment file, or the folder.
        name: String,
        /// Why not.
        source: DataError,
    },
    /// A folder was looked at and cannot be trained with as it is.
    #[error("{name} cannot be trained with as it is: {problems}")]
    Unusable {
        /// The folder.
        name: String,
        /// Why not.
        problems: String,
    },
    /// An option cannot be met.
    #[error("{option}: {problem}")]
    Usage {
        /// The option as typed, for example `--device cuda:0`.
        option: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// A name fits no run or several, or a folder was written by a newer version.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run could not be trained.
    #[error("the run cannot be trained")]
    Train(#[source] Box<TrainError>),
    /// What was to be measured cannot be.
    #[error(transparent)]
    Measure(Box<MeasureError>),
    /// Images could not be translated.
    #[error(transparent)]
    Translate(Box<TranslateError>),
    /// A benchmark could not be run.
    #[error("the benchmark failed")]
    Bench(#[source] Box<BenchError>),
    /// The records of a run cannot be read.
    #[error("the records cannot be read")]
    Records(#[source] ReportError),
    /// An SQL query is wrong.
    #[error("the query cannot be answered")]
    Query(#[source] ReportError),
    /// Runs failed; each was reported when it did.
    #[error("{failed} of {all} runs failed; `harness logs RUN` says more, the same command tries them again")]
    RunsFailed {
        /// How many failed.
        failed: usize,
        /// How many were asked for.
        all: usize,
    },
    /// A signal or the launcher asked to stop.
    #[error("stopped; the same command goes on from the last checkpoints")]
    Stopped {
        /// The signal, if it was one.
        signal: Option<i32>,
    },
    /// A report could not be written.
    #[error("cannot write the report in {}", path.display())]
    Report {
        /// Its folder.
        path: PathBuf,
        /// Why not.
        source: Box<ReportError>,
    },
    /// A report was asked for and nothing has been trained.
    #[error("no runs of {experiment} under {}; train them first: harness run FILE", runs_dir.display())]
    NothingToReport {
        /// Experiment and profile.
        experiment: String,
        /// Where runs were looked for.
        runs_dir: PathBuf,
    },
    /// Published numbers were to be verified and were not.
    #[error("not verified: {reason}")]
    NotVerified {
        /// What is not reproduced, or that nothing can be compared.
        reason: String,
    },
    /// A run needs weights of the face landmark network that are not there or cannot be used.
    #[error(transparent)]
    Landmarks(#[from] LandmarkError),
    /// Weights cannot be read, imported or downloaded.
    #[error(transparent)]
    Weights(WeightsError),
    /// Networks cannot be taken over from a checkpoint, or handed on.
    #[error(transparent)]
    Checkpoint(Box<CheckpointError>),
    /// Something of this machine cannot be used; standard output says what and what to do.
    #[error("{problems} of what this binary could use here {}", if *problems == 1 { "does not work" } else { "do not work" })]
    Unfit {
        /// How many things.
        problems: usize,
    },
    /// A file or stream failed.
    #[error("{action}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<MeasureError> for Error {
    fn from(error: MeasureError) -> Self {
        match error {
            // Shown with the lines they are about.
            MeasureError::Config(errors) => Self::Config(errors),
            error => Self::Measure(error.into()),
        }
    }
}

impl From<TranslateError> for Error {
    fn from(error: TranslateError) -> Self {
        match error {
            TranslateError::Usage { option, problem } => Self::Usage { option, problem },
            error => Self::Translate(error.into()),
        }
    }
}

impl From<CheckpointError> for Error {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Store(error) => Self::Store(error),
            error => Self::Checkpoint(error.into()),
        }
    }
}

impl From<WeightsError> for Error {
    fn from(error: WeightsError) -> Self {
        match error {
            WeightsError::Store(error) => Self::Store(error),
            error => Self::Weights(error),
        }
    }
}

impl Error {
    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        let code = match self {
            Self::Config(_) | Self::Data { .. } | Self::Usage { .. } | Self::Query(_) => BAD_INPUT,
            Self::Unusable { .. } | Self::NothingToReport { .. } | Self::Landmarks(_) => BAD_INPUT,
            Self::Store(error) if error.is_bad_input() => BAD_INPUT,
            Self::Stopped { signal: Some(signal) } => 128u8.saturating_add(u8::try_from(*signal).unwrap_or(0)),
            Self::Stopped { signal: None } | Self::RunsFailed { .. } | Self::Train(_) | Self::Bench(_) => FAILED,
            Self::Report { source, .. } if matches!(&**source, ReportError::Io { source, .. } if is_wrong_path(source)) => {
                BAD_INPUT
            }
            Self::NotVerified { .. } => NOT_VERIFIED,
            Self::Weights(error) if error.is_bad_input() => BAD_INPUT,
            Self::Measure(error) if error.is_bad_input() => BAD_INPUT,
            Self::Translate(error) if error.is_bad_input() => BAD_INPUT,
            Self::Checkpoint(error) if error.is_bad_input() => BAD_INPUT,
            Self::Records(_) | Self::Weights(_) | Self::Measure(_) | Self::Report { .. } | Self::Io { .. } => FAILED,
            Self::Store(_) | Self::Translate(_) | Self::Checkpoint(_) | Self::Unfit { .. } => FAILED,
        };
        ExitCode::from(code)
    }

    /// Whether it is only that nobody reads our output any more, as in `harness ls | head -1`.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The text for standard error: configuration errors with the lines they are about, others with their causes.
    pub fn render(&self, colour: bool) -> String {
        if let Self::Config(errors) = self {
            let theme =
                if colour { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
            return errors.render(theme);
        }
        let mut text = format!("error: {self}\n");
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            // Some errors already end in their cause.
            if !said.ends_with(&message) {
                text.push_str(&format!("  because: {message}\n"));
            }
            said = message;
            cause = error.source();
        }
        text
    }
}

/// An error and its causes on one line.
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Some errors already end in their cause.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn pipe(kind: io::ErrorKind) -> Error {
        Error::Io { action: "cannot write to standard output".into(), source: kind.into() }
    }

    #[test]
    fn exit_codes_tell_bad_input_from_failure() {
        let code = |error: Error| format!("{:?}", error.exit_code());
        let expect = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(Error::Usage { option: "--device x".into(), problem: "unknown".into() }), expect(2));
        assert_eq!(code(StoreError::UnknownRun { name: "F".into(), runs_dir: "runs".into() }.into()), expect(2));
        assert_eq!(code(Error::RunsFailed { failed: 1, all: 2 }), expect(1));
        assert_eq!(code(Error::NotVerified { reason: "nothing can be compared".into() }), expect(3));
        assert_eq!(code(Error::Stopped { signal: Some(2) }), expect(130));
        assert_eq!(code(Error::Stopped { signal: Some(15) }), expect(143));
        assert_eq!(code(Error::Stopped { signal: None }), expect(1));
    }

    #[test]
    fn only_a_broken_pipe_is_one() {
        assert!(pipe(io::ErrorKind::BrokenPipe).is_broken_pipe());
        assert!(!pipe(io::ErrorKind::StorageFull).is_broken_pipe());
    }

    #[test]
    fn causes_are_said_once() {
        let source = Box::new(ReportError::NotARunFolder { path: "x".into() });
        let error = Error::Report { path: "out".into(), source };
        let text = "error: cannot write the report in out\n  because: `x` is not a run folder: it has no run.json\n";
        assert_eq!(error.render(false), text);
        assert_eq!(one_line(&error), "cannot write the report in out: `x` is not a run folder: it has no run.json");
    }
}
