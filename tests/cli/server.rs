//! A web server with one file, which can be told to misbehave.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// With the file, or the part that was asked for.
    File,
    /// With the whole file, whatever was asked for.
    FileWithoutRanges,
    /// As `File`, but the connection ends after so many bytes.
    BrokenAfter(usize),
    /// Not at all: the connection ends.
    Gone,
    /// With 404.
    NotFound,
}

#[derive(Debug, Default)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    ranges: Mutex<Vec<Option<String>>>,
    stopped: AtomicBool,
}

/// The server; a thread serves until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Server {
    /// Serves `file`, answering one request after another so; those after the last as `Gone`.
    pub fn start(file: Vec<u8>, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    // A client that goes away is not the server's trouble.
                    let _ = serve(&stream.unwrap(), &file, &shared);
                }
            }
        });
        let server = Self { address, shared, thread: Mutex::new(Some(thread)) };
        server.answer(answers);
        server
    }

    /// Answers further requests so.
    pub fn answer(&self, answers: Vec<Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    /// The address of the file under a name.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.address)
    }

    /// What was asked for in the header `Range` of every request so far.
    pub fn ranges(&self) -> Vec<Option<String>> {
        self.shared.ranges.lock().unwrap().clone()
    }

    /// From now on, connections are refused.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.lock().unwrap().take() {
            // Wakes it up.
            drop(TcpStream::connect(self.address));
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(mut stream: &TcpStream, file: &[u8], shared: &Shared) -> std::io::Result<()> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let range = lines.filter_map(|line| Some(line.to_lowercase().strip_prefix("range: ")?.to_owned())).last();
    shared.ranges.lock().unwrap().push(range.clone());
    let answer = shared.answers.lock().unwrap().pop_front().unwrap_or(Answer::Gone);
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let (start, len) = match answer {
        Answer::Gone => return Ok(()),
        Answer::NotFound => return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        Answer::FileWithoutRanges => (None, file.len()),
        Answer::File => (start, file.len()),
        Answer::BrokenAfter(len) => (start, len),
    };
    let total = file.len();
    let head = match start {
        Some(start) if start >= total => {
            format!("416 Range Not Satisfiable\r\nContent-Length: 0\r\nContent-Range: bytes */{total}\r\n")
        }
        Some(start) => format!(
            "206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{total}\r\n",
            total - start,
            total - 1
        ),
        None => format!("200 OK\r\nContent-Length: {total}\r\n"),
    };
    stream.write_all(format!("HTTP/1.1 {head}Connection: close\r\n\r\n").as_bytes())?;
    let rest = file.get(start.unwrap_or(0)..).unwrap_or_default();
    stream.write_all(&rest[..len.min(rest.len())])
}
