//! Values that know where they come from.

use crate::Result;
use candle_core::{DType, Device, Tensor};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A tensor, and, where a gradient is wanted, the node that made it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Variable {
    value: Tensor,
    node: Option<Arc<Node>>,
}

/// From the gradient of an operation's output, and which inputs need one, to the gradients of its inputs.
pub(super) type Rule = Arc<dyn Fn(&Variable, &[bool]) -> Result<Vec<Option<Variable>>> + Send + Sync>;

/// What a node can still do.
pub(super) enum Origin {
    /// A parameter or input: gradients end here.
    Leaf,
    /// The output of an operation.
    Operation(Rule),
    /// The output of an operation that a backward pass has consumed.
    Consumed,
}

/// A place in the graph.
pub(super) struct Node {
    /// Rises with time, so that every node's inputs have smaller numbers than itself.
    pub id: u64,
    inputs: Vec<Option<Arc<Node>>>,
    origin: Mutex<Origin>,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations of this thread leave nodes: always, except inside [`Variable::backward`].
pub(crate) fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without recording.
pub(super) fn without_recording<T>(f: impl FnOnce() -> T) -> T {
    /// Restores the setting, also when `f` panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(false));
    f()
}

impl Node {
    fn new(inputs: Vec<Option<Arc<Node>>>, origin: Origin) -> Arc<Self> {
        Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), inputs, origin: Mutex::new(origin) })
    }

    pub(super) fn inputs(&self) -> &[Option<Arc<Node>>] {
        &self.inputs
    }

    /// The rule, kept in place or taken away.
    pub(super) fn origin(&self, consume: bool) -> Origin {
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        match &*origin {
            Origin::Leaf => Origin::Leaf,
            Origin::Operation(_) if consume => std::mem::replace(&mut origin, Origin::Consumed),
            Origin::Operation(rule) => Origin::Operation(Arc::clone(rule)),
            Origin::Consumed => Origin::Consumed,
        }
    }
}

impl Drop for Node {
    /// Frees a chain of nodes in a loop: left to itself, each node would free its inputs from inside its own end, and
    /// a long chain would overflow the stack.
    fn drop(&mut self) {
        let mut orphans = std::mem::take(&mut self.inputs);
        // The rule's saved variables refer to the same inputs, which `orphans` still keeps alive.
        *self.origin.get_mut().unwrap_or_else(PoisonError::into_inner) = Origin::Consumed;
        while let Some(orphan) = orphans.pop() {
            if let Some(mut node) = orphan.and_then(Arc::into_inner) {
                orphans.append(&mut node.inputs);
            }
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.id)
    }
}

impl Variable {
    /// A value without gradient: whatever is computed from constants alone leaves no graph.
    pub fn constant(value: Tensor) -> Self {
        Self { value, node: None }
    }

    /// A value whose gradient is wanted.
    pub fn leaf(value: Tensor) -> Self {
        Self { value, node: Some(Node::new(Vec::new(), Origin::Leaf)) }
    }

    /// The value.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// The same value as a constant.
    pub fn detach(&self) -> Self {
        Self::constant(self.value.clone())
    }

    /// Whether a gradient can flow to or through it.
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    /// Lengths of the axes.
    pub fn dims(&self) -> &[usize] {
        self.value.dims()
    }

    /// Number of elements.
    pub fn elem_count(&self) -> usize {
        self.value.elem_count()
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.value.dtype()
    }

    /// Where the value lies.
    pub fn device(&self) -> &Device {
        self.value.device()
    }

    pub(super) fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    pub(super) fn into_node(self) -> Option<Arc<Node>> {
        self.node
    }
}

/// The output `value` of an operation on `inputs`. `rule` is kept only if some input needs a gradient.
pub(crate) fn record(
    value: Tensor,
    inputs: &[&Variable],
    rule: impl Fn(&Variable, &[bool]) -> Result<Vec<Option<Variable>>> + Send + Sync + 'static,
) -> Variable {
    let node = (is_recording() && inputs.iter().any(|input| input.is_tracked())).then(|| {
        let inputs = inputs.iter().map(|input| input.node.clone()).collect();
        Node::new(inputs, Origin::Operation(Arc::new(rule)))
    });
    Variable { value, node }
}
