//! Work of the processor beside that of a device.

use std::sync::mpsc::sync_channel;

/// Runs `make` over and over on a thread beside this one, in a pool of as many threads as this thread's pool has, until it
/// gives `None`; `take` runs on this thread and gets what was made, in order. One item waits to be taken while the next is
/// in the making. When `take` returns, nothing more is begun.
///
/// For devices: they are to be used from one thread, which must not wait for images to be decoded.
///
/// # Errors
/// The threads cannot be started.
pub fn ahead<T: Send, R>(
    make: impl FnMut() -> Option<T> + Send,
    take: impl FnOnce(&mut dyn FnMut() -> Option<T>) -> R,
) -> Result<R, rayon::ThreadPoolBuildError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(rayon::current_num_threads())
        .thread_name(|index| format!("ahead-{index}"))
        .build()?;
    let (sender, receiver) = sync_channel(1);
    std::thread::scope(|scope| {
        let pool = &pool;
        let mut make = make;
        scope.spawn(move || {
            while let Some(item) = pool.install(&mut make) {
                // Nobody takes any more.
                if sender.send(item).is_err() {
                    break;
                }
            }
        });
        // What ends the thread's loop early must be gone before the scope waits for it.
        let receiver = receiver;
        Ok(take(&mut || receiver.recv().ok()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn items_come_in_order_and_no_more_are_made_than_needed() {
        let made = AtomicUsize::new(0);
        let make = || (made.fetch_add(1, Ordering::SeqCst) < 50).then(|| made.load(Ordering::SeqCst));
        let taken = ahead(make, |next| std::iter::from_fn(next).collect::<Vec<_>>()).unwrap();
        assert_eq!(taken, (1..=50).collect::<Vec<_>>());

        made.store(0, Ordering::SeqCst);
        let make = || Some(made.fetch_add(1, Ordering::SeqCst));
        let taken = ahead(make, |next| (next(), next())).unwrap();
        assert_eq!(taken, (Some(0), Some(1)));
        assert!(made.load(Ordering::SeqCst) <= 5, "{made:?}");
    }

    #[test]
    fn the_pool_is_as_large_as_this_one() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let threads = pool.install(|| ahead(|| Some(rayon::current_num_threads()), |next| next()).unwrap());
        assert_eq!(threads, Some(3));
    }
}
