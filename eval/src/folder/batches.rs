//! Decoding the images of a folder ahead of their use.

use super::FolderError;
use super::image_folder::{ImageFolder, OnUndecodable};
use crate::decode::{DecodeError, Decoded, Notes, decode};
use image::RgbImage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// A decoded image of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderImage {
    /// Position among the folder's images, skipped ones included.
    pub index: usize,
    /// Path below the folder.
    pub name: String,
    /// Pixels; images of one folder may differ in size.
    pub pixels: RgbImage,
}

/// What was seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Images handed out.
    pub decoded: usize,
    /// Names of the files that were skipped, with the reasons.
    pub skipped: Vec<(String, DecodeError)>,
    /// What happened to the images, counted.
    pub notes: Notes,
}

type Loaded = Result<Decoded, FolderError>;

/// The images of a folder in order, in batches. After an error there is nothing more.
pub struct Batches<'a> {
    folder: &'a ImageFolder,
    batch: usize,
    /// The next image to be handed to a thread, and the next to be handed out.
    next_job: usize,
    next_image: usize,
    sender: Sender<(usize, Loaded)>,
    receiver: Receiver<(usize, Loaded)>,
    /// Images that were ready before their turn.
    early: BTreeMap<usize, Loaded>,
    summary: Summary,
    failed: bool,
}

impl<'a> Batches<'a> {
    pub(super) fn new(folder: &'a ImageFolder, batch: usize) -> Self {
        let (sender, receiver) = channel();
        Self {
            folder,
            batch: batch.max(1),
            next_job: 0,
            next_image: 0,
            sender,
            receiver,
            early: BTreeMap::new(),
            summary: Summary::default(),
            failed: false,
        }
    }

    /// What was seen so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Keeps the threads busy with images up to a batch beyond the one being handed out.
    fn start_jobs(&mut self, batch_end: usize) {
        let end = batch_end.saturating_add(self.batch).min(self.folder.len());
        while self.next_job < end {
            let (index, path) = (self.next_job, PathBuf::from(self.folder.path(self.next_job)));
            let sender = self.sender.clone();
            // The receiver may be gone: then nobody waits for the image.
            rayon::spawn_fifo(move || drop(sender.send((index, load(&path)))));
            self.next_job += 1;
        }
    }

    /// Waits for the next image.
    fn receive(&mut self) -> Loaded {
        let wanted = self.next_image;
        self.next_image += 1;
        loop {
            if let Some(loaded) = self.early.remove(&wanted) {
                return loaded;
            }
            let (index, loaded) = self.wait();
            self.early.insert(index, loaded);
        }
    }

    /// A thread of the pool must not sleep here: it may be the only one that could do the work it waits for.
    fn wait(&self) -> (usize, Loaded) {
        const SENDER_IS_HELD: &str = "invariant: this iterator holds a sender";
        if rayon::current_thread_index().is_none() {
            return self.receiver.recv().expect(SENDER_IS_HELD);
        }
        loop {
            match self.receiver.try_recv() {
                Ok(message) => return message,
                Err(TryRecvError::Disconnected) => unreachable!("{SENDER_IS_HELD}"),
                Err(TryRecvError::Empty) => {
                    if rayon::yield_now() != Some(rayon::Yield::Executed) {
                        std::thread::yield_now();
                    }
                }
            }
        }
    }

    /// The next batch, with as many images as there are left. Empty at the end.
    fn fill(&mut self) -> Result<Vec<FolderImage>, FolderError> {
        let mut images = Vec::new();
        while images.len() < self.batch && self.next_image < self.folder.len() {
            self.start_jobs(self.next_image + self.batch - images.len());
            let index = self.next_image;
            match self.receive() {
                Ok(Decoded { image, notes }) => {
                    self.summary.notes.merge(&notes);
                    self.summary.decoded += 1;
                    images.push(FolderImage { index, name: self.folder.name(index), pixels: image });
                }
                Err(FolderError::Undecodable { problem, .. })
                    if self.folder.on_undecodable() == OnUndecodable::Skip =>
                {
                    self.summary.skipped.push((self.folder.name(index), problem));
                }
                Err(error) => return Err(error),
            }
        }
        match self.summary.skipped.first() {
            Some((first, problem)) if self.summary.decoded == 0 => Err(FolderError::NothingDecodable {
                path: self.folder.root().into(),
                count: self.summary.skipped.len(),
                first: first.clone(),
                problem: problem.clone(),
            }),
            _ => Ok(images),
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Vec<FolderImage>, FolderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.next_image == self.folder.len() {
            return None;
        }
        match self.fill() {
            // Everything that was left has been skipped.
            Ok(images) if images.is_empty() => None,
            Ok(images) => Some(Ok(images)),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

fn load(path: &Path) -> Loaded {
    let bytes = std::fs::read(path).map_err(FolderError::unreadable(path))?;
    decode(&bytes).map_err(|problem| FolderError::Undecodable { path: path.into(), problem })
}
