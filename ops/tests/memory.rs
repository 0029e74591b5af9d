//! What a backward pass holds on to, measured by counting what the allocator gave out.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor};
use harness_ops::{Variable, mul, sum_all};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes per tensor in these tests; smaller allocations do not count.
const TENSOR: usize = 8 << 20;

/// Bytes of large allocations now, and the most since it was last reset.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= TENSOR {
            let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            PEAK.fetch_max(live, Ordering::Relaxed);
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if layout.size() >= TENSOR {
            LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Tensors alive now.
fn live() -> f64 {
    LIVE.load(Ordering::Relaxed) as f64 / TENSOR as f64
}

/// The most tensors alive at once while `f` ran, above those alive before.
fn peak<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let before = live();
    PEAK.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
    let value = f();
    (value, PEAK.load(Ordering::Relaxed) as f64 / TENSOR as f64 - before)
}

fn tensor() -> Tensor {
    Tensor::ones(TENSOR / 4, DType::F32, &Device::Cpu).unwrap()
}

/// A chain of products, each of which keeps its operands: one more tensor per link.
fn chain(leaf: &Variable, links: usize) -> Variable {
    (0..links).fold(leaf.clone(), |x, _| mul(&x, leaf).unwrap())
}

/// One test, since the counters are the process's.
#[test]
fn memory_follows_the_passes() {
    let leaf = Variable::leaf(tensor());
    let start = live();

    // Nothing is kept where nothing needs a gradient: the product and its operand.
    let (_, without_graph) = peak(|| chain(&leaf.detach(), 16));
    assert!(without_graph <= 2.0, "{without_graph} tensors for a chain without gradients");

    let loss = sum_all(&chain(&leaf, 16)).unwrap();
    let held = live() - start;
    assert!((15.0..=17.0).contains(&held), "{held} tensors for a graph of 16");

    // Each link's tensor goes when its gradient has been computed, so the pass needs room for a few gradients only.
    let (gradients, extra) = peak(|| loss.backward().unwrap());
    assert!(extra <= 4.0, "{extra} tensors more than the graph in the backward pass");
    assert!(live() - start <= 1.0, "{} tensors after the backward pass", live() - start);

    // A part that is still wanted lives on, and no more than that.
    drop(gradients);
    let kept = chain(&leaf, 8);
    let loss = sum_all(&chain(&kept, 8)).unwrap();
    loss.backward().unwrap();
    assert!(live() - start <= 1.0, "{} tensors beside the value in hand", live() - start);
    drop(kept);

    // A graph that is dropped is gone.
    drop(sum_all(&chain(&leaf, 16)).unwrap());
    assert_eq!(live(), start);
}
