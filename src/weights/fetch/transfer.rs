//! One file over HTTP, gone on with where an earlier transfer broke off.

use crate::error::one_line;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// No file of weights that is known has as many bytes.
const LARGEST: u64 = 1 << 30;
/// Transfers that are tried as long as each brings something.
const TRIES: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two pieces.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How a transfer ended.
enum End {
    Complete,
    /// What is there cannot be gone on with.
    Restart,
    /// The connection broke after something had arrived.
    Broken(String),
}

/// Appends to `part` what is missing of the file at `url`.
pub(super) fn transfer(url: &str, part: &Path, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot begin: {error}"))?;
    let client = Client::builder()
        .user_agent(concat!("harness/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(|error| one_line(&error))?;
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", part.display());
    let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(format!("another process is writing {}", part.display())),
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    let mut tries = || {
        let mut problem = String::new();
        for _ in 0..TRIES {
            match runtime.block_on(attempt(&client, url, &mut file, progress))? {
                End::Complete => return file.sync_all().map_err(cannot),
                End::Restart => file.set_len(0).map_err(cannot)?,
                End::Broken(reason) => problem = reason,
            }
        }
        Err(problem)
    };
    let ended = tries();
    if ended.is_err() && file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        // Nothing arrived; that an empty file stays would be no second failure.
        let _ = std::fs::remove_file(part);
    }
    ended
}

async fn attempt(
    client: &Client,
    url: &str,
    file: &mut File,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<End, String> {
    let failed = |error: std::io::Error| format!("cannot write what arrives: {error}");
    let have = file.metadata().map_err(failed)?.len();
    let mut request = client.get(url);
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    let mut response = request.send().await.map_err(|error| one_line(&error.without_url()))?;
    let mut here = match response.status() {
        StatusCode::OK => {
            file.set_len(0).map_err(failed)?;
            0
        }
        StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(have) => have,
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            return Ok(if whole_len(&response) == Some(have) { End::Complete } else { End::Restart });
        }
        status => return Err(format!("the server answers {status}")),
    };
    let total = response.content_length().map(|rest| here + rest);
    let too_large = || format!("the file has more than {LARGEST} bytes, which no file of weights has");
    if total.is_some_and(|total| total > LARGEST) {
        return Err(too_large());
    }
    progress(here, total);
    let start = here;
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => {
                here += piece.len() as u64;
                if here > LARGEST {
                    return Err(too_large());
                }
                file.write_all(&piece).map_err(failed)?;
                progress(here, total);
            }
            Ok(None) => return Ok(End::Complete),
            Err(error) => {
                let reason = format!("it broke off after {here} bytes: {}", one_line(&error.without_url()));
                return if here > start { Ok(End::Broken(reason)) } else { Err(reason) };
            }
        }
    }
}

/// `bytes START-END/LENGTH`, or `bytes */LENGTH`.
fn content_range(response: &Response) -> Option<(&str, &str)> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('/')
}

fn range_start(response: &Response) -> Option<u64> {
    content_range(response)?.0.split_once('-')?.0.parse().ok()
}

fn whole_len(response: &Response) -> Option<u64> {
    content_range(response)?.1.parse().ok()
}
