//! Prefetching of training batches on threads of their own.

use super::augment::Augmentation;
use super::sampler::{Pick, Sampler};
use super::{DataError, DataSet, Split};
use crate::experiment::settings::{Augment, Draws};
use crate::methods::{Batch, References};
use candle_core::{Device, Tensor};
use harness_ops::random::Key;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How training batches are made.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Side of the images in pixels.
    pub image_size: usize,
    /// Images per batch, or per domain.
    pub batch_size: usize,
    /// What a batch is made of.
    pub draws: Draws,
    /// Augmentation.
    pub augment: Augment,
    /// Training seed; with the iteration it decides every draw.
    pub seed: u64,
    /// Threads; at least one is used. Batches do not depend on it.
    pub workers: usize,
    /// Batches made ahead; at least one per worker.
    pub prefetch: usize,
    /// Iteration of the first batch.
    pub start_iteration: u64,
}

/// Makes training batches ahead of their use, in order. Dropping it ends its threads.
pub struct TrainLoader {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share with the consumer.
struct Shared {
    maker: BatchMaker,
    queue: Mutex<Queue>,
    /// Signals every change of the queue.
    changed: Condvar,
    window: u64,
}

struct Queue {
    /// Iteration the consumer takes next.
    wanted: u64,
    /// Iteration a worker begins next.
    unclaimed: u64,
    ready: BTreeMap<u64, Result<Batch, DataError>>,
    stopped: bool,
}

impl Shared {
    /// A panic while holding the lock cannot leave the queue half changed, so poisoning is of no interest.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let mut queue = self.queue();
            while !queue.stopped && queue.unclaimed >= queue.wanted + self.window {
                queue = self.wait(queue);
            }
            if queue.stopped {
                return;
            }
            let iteration = queue.unclaimed;
            queue.unclaimed += 1;
            drop(queue);

            // Without this, a consumer would wait for ever for the batch of a thread that panicked.
            let batch = catch_unwind(AssertUnwindSafe(|| self.maker.batch(iteration))).unwrap_or_else(|_| {
                let what = format!("training batch {iteration}");
                Err(DataError::Internal { what, problem: "a loader thread panicked".into() })
            });
            self.queue().ready.insert(iteration, batch);
            self.changed.notify_all();
        }
    }
}

impl TrainLoader {
    /// Starts making batches of `dataset`'s training split.
    pub fn new(dataset: Arc<DataSet>, options: LoaderOptions) -> Result<TrainLoader, DataError> {
        for (key, value) in [("image_size", options.image_size), ("batch_size", options.batch_size)] {
            if value == 0 {
                return Err(DataError::Setting { key, value: "0".into(), problem: "must be positive" });
            }
        }
        let workers = options.workers.max(1);
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                wanted: options.start_iteration,
                unclaimed: options.start_iteration,
                ready: BTreeMap::new(),
                stopped: false,
            }),
            changed: Condvar::new(),
            window: options.prefetch.max(workers) as u64,
            maker: BatchMaker::new(dataset, options),
        });
        let mut loader = TrainLoader { shared, threads: Vec::with_capacity(workers) };
        for worker in 0..workers {
            let shared = loader.shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("loader-{worker}"))
                .spawn(move || shared.work())
                .map_err(|error| DataError::Internal { what: "loader thread".into(), problem: error.to_string() })?;
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// The batch of the next iteration: `start_iteration` first, then one more each time. Waits until it is made. An
    /// image that cannot be decoded is an error that names it.
    #[allow(clippy::should_implement_trait, reason = "batches never end and are fallible")]
    pub fn next(&mut self) -> Result<Batch, DataError> {
        let mut queue = self.shared.queue();
        loop {
            let wanted = queue.wanted;
            if let Some(batch) = queue.ready.remove(&wanted) {
                queue.wanted += 1;
                drop(queue);
                self.shared.changed.notify_all();
                return batch;
            }
            queue = self.shared.wait(queue);
        }
    }
}

impl Drop for TrainLoader {
    fn drop(&mut self) {
        self.shared.queue().stopped = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic in a thread has been handed over as that batch's error.
            let _ = thread.join();
        }
    }
}

/// Makes a batch from its iteration alone.
struct BatchMaker {
    dataset: Arc<DataSet>,
    sampler: Sampler,
    options: LoaderOptions,
    source: Key,
    reference: Key,
    partner: Key,
}

impl BatchMaker {
    fn new(dataset: Arc<DataSet>, options: LoaderOptions) -> Self {
        let counts: Vec<usize> = (0..dataset.domains().len()).map(|d| dataset.len(Split::Train, d)).collect();
        let key = |purpose| Key::new(options.seed, purpose);
        BatchMaker {
            sampler: Sampler::new(&counts, options.seed, options.draws),
            source: key("augment.source"),
            reference: key("augment.reference"),
            partner: key("augment.partner"),
            dataset,
            options,
        }
    }

    fn batch(&self, iteration: u64) -> Result<Batch, DataError> {
        let picks = self.sampler.picks(iteration, self.options.batch_size);
        let domains = |picks: &[Pick]| picks.iter().map(|pick| pick.domain as u32).collect();
        let references = match self.options.draws {
            Draws::Mixed(_) => Some(References {
                x: self.images(&picks.references, self.reference, iteration)?,
                x2: self.images(&picks.partners, self.partner, iteration)?,
                y: domains(&picks.references),
            }),
            Draws::EveryDomain => None,
        };
        let x_src = self.images(&picks.sources, self.source, iteration)?;
        Ok(Batch { x_src, y_src: domains(&picks.sources), references })
    }

    /// N×3×S×S in [-1, 1].
    fn images(&self, picks: &[Pick], key: Key, iteration: u64) -> Result<Tensor, DataError> {
        let size = self.options.image_size;
        let mut values = vec![0.0; picks.len() * 3 * size * size];
        for (position, (pick, planes)) in picks.iter().zip(values.chunks_exact_mut(3 * size * size)).enumerate() {
            let image = self.dataset.shared_image(Split::Train, pick.domain, pick.index)?;
            let (width, height) = (image.width() as usize, image.height() as usize);
            let mut stream = key.stream(iteration, position as u32);
            let augmentation = Augmentation::draw(width, height, &self.options.augment, &mut stream);
            augmentation.apply(&image, size, planes)?;
        }
        Ok(Tensor::from_vec(values, (picks.len(), 3, size, size), &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::OpenOptions;
    use crate::data::tests::{encoded, gradient};
    use crate::experiment::settings::{DataSource, Dataset, Sampling};
    use image::ImageFormat;
    use std::time::{Duration, Instant};

    fn shapes() -> Arc<DataSet> {
        let spec = Dataset { source: DataSource::Shapes, train_per_domain: 20, ..Dataset::default() };
        Arc::new(DataSet::open(&spec, &OpenOptions { strict: true, image_size: 24, cache_dir: None }).unwrap())
    }

    fn options(workers: usize, start_iteration: u64) -> LoaderOptions {
        LoaderOptions {
            image_size: 16,
            batch_size: 3,
            draws: Draws::Mixed(Sampling::Balanced),
            augment: Augment::default(),
            seed: 11,
            workers,
            prefetch: 3,
            start_iteration,
        }
    }

    fn values(batch: &Batch) -> (Vec<Vec<f32>>, Vec<Vec<u32>>) {
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let References { x, x2, y } = batch.references().unwrap();
        (vec![flat(&batch.x_src), flat(x), flat(x2)], vec![batch.y_src.clone(), y.clone()])
    }

    #[test]
    fn batches_depend_on_seed_and_iteration_alone() {
        let data = shapes();
        let mut single = TrainLoader::new(data.clone(), options(1, 0)).unwrap();
        let expected: Vec<_> = (0..12).map(|_| values(&single.next().unwrap())).collect();
        for workers in [2, 5] {
            let mut many = TrainLoader::new(shapes(), options(workers, 0)).unwrap();
            for batch in &expected {
                assert!(values(&many.next().unwrap()) == *batch, "{workers} workers");
            }
        }
        let mut resumed = TrainLoader::new(data.clone(), options(2, 7)).unwrap();
        assert!(values(&resumed.next().unwrap()) == expected[7]);
        let mut other = TrainLoader::new(data, LoaderOptions { seed: 12, ..options(1, 0) }).unwrap();
        assert!(values(&other.next().unwrap()) != expected[0]);
    }

    #[test]
    fn a_batch_has_shape_and_range() {
        let batch = TrainLoader::new(shapes(), options(1, 0)).unwrap().next().unwrap();
        let References { x, x2, y } = batch.references().unwrap();
        for tensor in [&batch.x_src, x, x2] {
            assert_eq!(tensor.dims(), [3, 3, 16, 16]);
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(values.iter().all(|v| (-1.0..=1.0).contains(v)) && values.iter().any(|&v| v > 0.5));
        }
        assert!(batch.y_src.len() == 3 && y.iter().all(|&y| y < 3));
    }

    #[test]
    fn a_batch_of_every_domain_has_no_references() {
        let batch = TrainLoader::new(shapes(), LoaderOptions { draws: Draws::EveryDomain, ..options(2, 0) });
        let batch = batch.unwrap().next().unwrap();
        assert_eq!((batch.x_src.dims(), batch.y_src), (&[9, 3, 16, 16][..], vec![0, 0, 0, 1, 1, 1, 2, 2, 2]));
        assert!(batch.references.is_none());
    }

    #[test]
    fn dropping_ends_the_threads() {
        let start = Instant::now();
        drop(TrainLoader::new(shapes(), options(3, 0)).unwrap());
        let mut used = TrainLoader::new(shapes(), options(3, 0)).unwrap();
        used.next().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let ahead = { used.shared.queue().unclaimed };
        assert_eq!(ahead, 1 + 3, "no more than the window is made ahead");
        let shared = Arc::downgrade(&used.shared);
        drop(used);
        assert!(shared.upgrade().is_none(), "no thread holds the queue");
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn an_image_that_breaks_while_training_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for place in ["train/a", "train/b", "val/a", "val/b"] {
            let folder = dir.path().join("set").join(place);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("only.png"), encoded(gradient(8, 8), ImageFormat::Png)).unwrap();
        }
        let spec = Dataset { root: Some(dir.path().join("set")), ..Dataset::default() };
        let open = OpenOptions { strict: true, image_size: 16, cache_dir: Some(dir.path().join("cache")) };
        let data = Arc::new(DataSet::open(&spec, &open).unwrap());
        std::fs::write(dir.path().join("set/train/b/only.png"), b"broken").unwrap();
        let mut loader = TrainLoader::new(data, options(2, 0)).unwrap();
        let error = (0..20).find_map(|_| loader.next().err()).unwrap();
        assert!(matches!(&error, DataError::Decode { path, .. } if path.ends_with("train/b/only.png")), "{error}");
    }
}
