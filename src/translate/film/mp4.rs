//! MP4, through ffmpeg.

use crate::store::{NewFile, StoreError};
use crate::translate::TranslateError;
use crate::translate::output::usage;
use image::RgbImage;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// The program that encodes.
const FFMPEG: &str = "ffmpeg";

/// An MP4 file being written by an ffmpeg process: H.264 with the official code's parameters.
pub struct Mp4 {
    path: PathBuf,
    file: NewFile,
    process: Process,
    /// What ffmpeg says.
    said: Option<JoinHandle<String>>,
}

/// Ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sees that there is an ffmpeg.
///
/// # Errors
/// There is none.
pub fn find_ffmpeg(path: &Path) -> Result<(), TranslateError> {
    let mut command = Command::new(FFMPEG);
    let found = command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(usage(path, "ffmpeg, which writes .mp4, does not start here; mend it, or write .gif")),
        Err(_) => Err(usage(
            path,
            "ffmpeg, which writes .mp4, is not installed; install it (https://ffmpeg.org, or the package `ffmpeg` of \
             your system), or write .gif",
        )),
    }
}

impl Mp4 {
    /// Starts ffmpeg.
    pub fn begin(path: &Path, (width, height): (u16, u16)) -> Result<Self, TranslateError> {
        let file = NewFile::begin(path)?;
        let target = std::path::absolute(file.temporary_path()).map_err(StoreError::io("write", path))?;
        let mut command = Command::new(FFMPEG);
        command.args(["-y", "-nostdin", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
        command.args(["-video_size", &format!("{width}x{height}"), "-framerate", "25", "-i", "pipe:0"]);
        // Twice as slow; sides must be even for yuv420p.
        command.args(["-vf", "setpts=2*PTS,pad=ceil(iw/2)*2:ceil(ih/2)*2", "-r", "30"]);
        command.args(["-c:v", "libx264", "-pix_fmt", "yuv420p", "-f", "mp4"]).arg(target);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failed(path, error.to_string()))?;
        let stderr = child.stderr.take();
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            // What could not be read is not said.
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut said));
            String::from_utf8_lossy(&said).into_owned()
        });
        Ok(Self { path: path.to_owned(), file, process: Process(child), said: Some(said) })
    }

    /// Adds a frame that is shown `shown` times.
    pub fn add(&mut self, frame: &RgbImage, shown: usize) -> Result<(), TranslateError> {
        for _ in 0..shown {
            let written = self.process.0.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(frame.as_raw()));
            match written {
                Ok(()) => {}
                // It ended early, and says why.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(self.complaint()),
                Err(error) => return Err(failed(&self.path, error.to_string())),
            }
        }
        Ok(())
    }

    /// Waits for ffmpeg and completes the file.
    pub fn finish(mut self) -> Result<(), TranslateError> {
        drop(self.process.0.stdin.take());
        let status = self.process.0.wait().map_err(|error| failed(&self.path, error.to_string()))?;
        if !status.success() {
            return Err(self.complaint());
        }
        Ok(self.file.commit()?)
    }

    /// What ffmpeg says when it fails, on one line.
    fn complaint(&mut self) -> TranslateError {
        drop(self.process.0.stdin.take());
        let status = self.process.0.wait();
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match (said.as_slice(), status) {
            ([], Ok(status)) => failed(&self.path, status.to_string()),
            ([], Err(error)) => failed(&self.path, error.to_string()),
            (lines, _) => failed(&self.path, lines.join("; ")),
        }
    }
}

fn failed(path: &Path, problem: String) -> TranslateError {
    TranslateError::Ffmpeg { path: path.to_owned(), problem }
}
