//! What is wrong with a file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// Result of reading or writing a file.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a file, and where.
#[derive(Debug)]
pub struct Error {
    /// The file, where it was read from a path.
    pub file: Option<PathBuf>,
    /// The member of the archive, for example `archive/data.pkl` or `mu.npy`.
    pub member: Option<String>,
    /// Place in the member, or in the file where there is no member.
    pub offset: Option<u64>,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// The file cannot be written.
    #[error("cannot be written: {0}")]
    Unwritable(std::io::Error),
    /// The file is of another kind.
    #[error("{0}")]
    Format(String),
    /// The archive around the members is damaged.
    #[error("the archive is damaged: {0}")]
    Archive(String),
    /// The file ends too early.
    #[error("ends in the middle of {what}; is the file complete?")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// A pickle names a class or function that tensors do not need.
    #[error("the pickle names `{name}`, which no file of tensors needs; it was not executed, and the file is refused")]
    ForbiddenGlobal {
        /// Module and name, for example `posix.system`.
        name: String,
    },
    /// A pickle uses a name in a way that is not known.
    #[error("the pickle calls `{name}` with {problem}")]
    Call {
        /// Module and name.
        name: &'static str,
        /// What is wrong with the arguments.
        problem: String,
    },
    /// A pickle holds an instruction that files of tensors do not.
    #[error("the pickle holds the opcode {opcode:#04x}, which no file of tensors needs")]
    ForbiddenOpcode {
        /// The byte.
        opcode: u8,
    },
    /// A pickle is damaged.
    #[error("the pickle is damaged: {0}")]
    Pickle(String),
    /// Something is nested too deeply.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// What a file expands to is out of proportion.
    #[error("expands to more than {limit} bytes, out of proportion to its size")]
    TooLarge {
        /// Bytes allowed for this file.
        limit: usize,
    },
    /// A storage and what the pickle says about it do not agree.
    #[error("storage `{key}`: {problem}")]
    Storage {
        /// Its key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A tensor does not lie in its storage, or its description is wrong.
    #[error("a tensor of shape {shape:?} {problem}")]
    Tensor {
        /// Its shape.
        shape: Vec<u64>,
        /// What is wrong.
        problem: String,
    },
    /// A value is not where it was looked for.
    #[error("{0}")]
    Content(String),
}

impl Error {
    pub(crate) fn new(cause: Cause) -> Self {
        Self { file: None, member: None, offset: None, cause }
    }

    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset.get_or_insert(offset);
        self
    }

    pub(crate) fn within(mut self, member: &str) -> Self {
        self.member.get_or_insert_with(|| member.to_owned());
        self
    }

    /// Names the file, unless it is named already.
    #[must_use]
    pub fn of(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.to_owned());
        self
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self::new(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut place = Vec::new();
        place.extend(self.file.as_ref().map(|file| file.display().to_string()));
        place.extend(self.member.clone());
        place.extend(self.offset.map(|offset| format!("byte {offset}")));
        match place.is_empty() {
            true => write!(f, "{}", self.cause),
            false => write!(f, "{}: {}", place.join(", "), self.cause),
        }
    }
}

impl std::error::Error for Error {}
