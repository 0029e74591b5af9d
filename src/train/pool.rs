//! The threads that training runs on.

use super::TrainError;

/// Automatic differentiation recurses once per operation of a step's graph; 2 MiB do not hold the largest.
const STACK: usize = 32 << 20;

/// Runs `work` on a thread pool of its own, of `threads` threads with large stacks; a panic there becomes an error.
///
/// `work` itself is on one of the pool's threads: an operation that runs in parallel then starts at once, where a thread
/// outside would hand over to the pool and sleep, thousands of times per iteration.
///
/// # Errors
/// What `work` gives, a panic of it, or threads that cannot be started.
pub fn in_pool<T, E>(threads: usize, work: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E>
where
    T: Send,
    E: From<TrainError> + Send,
{
    let mut started = Vec::with_capacity(threads);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .spawn_handler(|thread| {
            let builder = std::thread::Builder::new().name(format!("train-{}", thread.index())).stack_size(STACK);
            started.push(builder.spawn(|| thread.run())?);
            Ok(())
        })
        .build()
        .map_err(TrainError::Threads)?;
    let on_pool = || pool.install(work);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(on_pool)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(TrainError::Panic { message: text.unwrap_or("without a message").to_owned() }.into())
    });
    drop(pool);
    for thread in started {
        // What a thread keeps of a GPU's libraries ends with it, which must be before the process does. Its panics have been
        // seen to.
        let _ = thread.join();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_on_the_pool_and_its_panic_is_an_error() {
        let threads = in_pool(3, || Ok::<_, TrainError>(rayon::current_num_threads()));
        assert_eq!(threads.unwrap(), 3);
        let error = in_pool::<(), TrainError>(1, || panic!("lost the thread")).unwrap_err();
        assert!(matches!(&error, TrainError::Panic { message } if message == "lost the thread"), "{error}");
    }
}
