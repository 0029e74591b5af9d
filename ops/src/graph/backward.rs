//! The two passes over a graph.

use super::variable::{Node, Origin, Variable, without_recording};
use crate::cast::converted;
use crate::{Error, Result, add};
use candle_core::{DType, Tensor};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

/// Gradients of the leaves a scalar depends on.
#[derive(Debug, Default)]
pub struct Gradients(HashMap<u64, Tensor>);

impl Gradients {
    /// The gradient of `leaf`, shaped like it; `None` when the scalar does not depend on it.
    pub fn get(&self, leaf: &Variable) -> Option<&Tensor> {
        self.0.get(&leaf.node()?.id)
    }

    /// Multiplies all gradients by min(1, `largest` / (norm + 1e-6)), where the norm is that of all of them together
    /// (PyTorch: `clip_grad_norm_` with its norm 2), and gives that norm from before: a scalar in f64 on their device, which
    /// nothing here waits for; `None` where there are no gradients.
    ///
    /// # Errors
    /// Gradients on different devices, or the device fails.
    pub fn clip_norm(&mut self, largest: f64) -> Result<Option<Tensor>> {
        // In the order of the leaves: a sum in the order of a hash table would differ from run to run.
        let mut ids: Vec<u64> = self.0.keys().copied().collect();
        ids.sort_unstable();
        let mut squares: Option<Tensor> = None;
        for id in &ids {
            let square = self.0[id].to_dtype(DType::F64)?.sqr()?.sum_all()?;
            squares = Some(match squares {
                Some(earlier) => (earlier + square)?,
                None => square,
            });
        }
        let Some(squares) = squares else { return Ok(None) };
        let norm = squares.sqrt()?;
        // The small number is PyTorch's.
        let factor = ((&norm + 1e-6)?.recip()? * largest)?.minimum(1.0)?;
        for gradient in self.0.values_mut() {
            *gradient = gradient.broadcast_mul(&factor.to_dtype(gradient.dtype())?)?;
        }
        Ok(Some(norm))
    }

    /// Adds the gradients of another part of the same objective.
    ///
    /// # Errors
    /// Parts of different shapes or types, which gradients of the same leaves never are.
    pub fn merge(&mut self, other: Gradients) -> Result<()> {
        for (id, gradient) in other.0 {
            let sum = match self.0.remove(&id) {
                Some(earlier) => sum(earlier, gradient)?,
                None => gradient,
            };
            self.0.insert(id, sum);
        }
        Ok(())
    }
}

/// The sum of two gradients of one leaf. Sums of gradients in bf16 are f32, so that many small ones do not get lost.
pub(crate) fn sum(a: Tensor, b: Tensor) -> Result<Tensor> {
    let wide = |x: Tensor| match x.dtype() {
        DType::BF16 => converted(&x, DType::F32),
        _ => Ok(x),
    };
    let (a, b) = (wide(a)?, wide(b)?);
    Ok(add(&Variable::constant(a), &Variable::constant(b))?.value().clone())
}

/// A node that waits for its turn: the youngest comes first, when all gradients that reach it are in.
struct Waiting(Arc<Node>);

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

/// Gradients under way, by node.
#[derive(Default)]
struct Pending {
    queue: BinaryHeap<Waiting>,
    gradients: HashMap<u64, Variable>,
}

impl Pending {
    fn add(&mut self, node: &Arc<Node>, gradient: Variable) -> Result<()> {
        let sum = match self.gradients.remove(&node.id) {
            Some(earlier) => add(&earlier, &gradient)?,
            None => {
                self.queue.push(Waiting(Arc::clone(node)));
                gradient
            }
        };
        self.gradients.insert(node.id, sum);
        Ok(())
    }

    fn next(&mut self) -> Option<(Arc<Node>, Variable)> {
        let Waiting(node) = self.queue.pop()?;
        let gradient = self.gradients.remove(&node.id)?;
        Some((node, gradient))
    }
}

fn consumed() -> Error {
    Error::Operands {
        operation: "backward",
        problem: "this part of the graph has been consumed by an earlier backward pass".into(),
    }
}

impl Variable {
    /// Gradients of this scalar in all leaves it depends on. The graph is consumed: each node's saved tensors are freed as
    /// soon as its rule has run.
    ///
    /// # Errors
    /// More than one element, or a graph that shares nodes with one already consumed.
    pub fn backward(self) -> Result<Gradients> {
        let seed = self.scalar_seed()?;
        self.backward_from(seed)
    }

    /// [`Variable::backward`] that leaves the graph as it is for further passes (PyTorch: `retain_graph`). Saved parameters
    /// are views of the networks' own: a pass after an optimiser step goes through the new weights with the activations of
    /// the old ones, as in PyTorch before version 1.5, which then began to refuse it.
    ///
    /// # Errors
    /// As for [`Variable::backward`].
    pub fn backward_retaining(&self) -> Result<Gradients> {
        let seed = self.scalar_seed()?;
        pass(self.node().cloned(), seed, false)
    }

    fn scalar_seed(&self) -> Result<Tensor> {
        if self.elem_count() != 1 {
            return Err(Error::Operands {
                operation: "backward",
                problem: format!("a scalar is needed, found shape {:?}", self.dims()),
            });
        }
        Ok(self.value().ones_like()?)
    }

    /// [`Variable::backward`] of Σ `seed` ⊙ self: continues a pass that another graph ended with the gradient `seed`
    /// (shaped like the variable) of this value.
    ///
    /// # Errors
    /// A seed of another shape, or a graph that shares nodes with one already consumed.
    pub fn backward_from(self, seed: Tensor) -> Result<Gradients> {
        if seed.dims() != self.dims() {
            return Err(Error::Operands {
                operation: "backward",
                problem: format!("the value is {:?}, its gradient {:?}", self.dims(), seed.dims()),
            });
        }
        pass(self.into_node(), seed, true)
    }
}

/// Gradients of the leaves below `output`, whose own is `seed`. A pass that consumes the graph frees each node's saved tensors
/// as soon as its rule has run.
fn pass(output: Option<Arc<Node>>, seed: Tensor, consume: bool) -> Result<Gradients> {
    let mut leaves = Gradients::default();
    let mut pending = Pending::default();
    if let Some(node) = output {
        pending.add(&node, Variable::constant(seed))?;
    }
    without_recording(|| {
        while let Some((node, gradient)) = pending.next() {
            let rule = match node.origin(consume) {
                Origin::Operation(rule) => rule,
                Origin::Consumed => return Err(consumed()),
                Origin::Leaf => {
                    leaves.0.insert(node.id, gradient.value().clone());
                    continue;
                }
            };
            let needed: Vec<bool> = node.inputs().iter().map(Option::is_some).collect();
            let gradients = rule(&gradient, &needed)?;
            drop((rule, gradient));
            for (input, gradient) in node.inputs().iter().zip(gradients) {
                if let (Some(input), Some(gradient)) = (input, gradient) {
                    pending.add(input, gradient)?;
                }
            }
        }
        Ok(leaves)
    })
}

/// The gradient of Σ `output` in each of `inputs` as variables that can be differentiated again; `None` where the output
/// does not depend on the input. The graph stays usable. Only what lies between output and inputs is computed.
///
/// # Errors
/// A consumed graph.
pub fn gradient(output: &Variable, inputs: &[&Variable]) -> Result<Vec<Option<Variable>>> {
    let targets: HashSet<u64> = inputs.iter().filter_map(|input| input.node().map(|node| node.id)).collect();
    let relevant = leading_to(output, &targets);
    let mut found: HashMap<u64, Variable> = HashMap::new();
    let mut pending = Pending::default();
    if let Some(node) = output.node().filter(|node| relevant.contains(&node.id)) {
        pending.add(node, Variable::constant(output.value().ones_like()?))?;
    }
    while let Some((node, gradient)) = pending.next() {
        if targets.contains(&node.id) {
            found.insert(node.id, gradient.clone());
        }
        let rule = match node.origin(false) {
            Origin::Operation(rule) => rule,
            Origin::Consumed => return Err(consumed()),
            Origin::Leaf => continue,
        };
        let wanted = |input: &Option<Arc<Node>>| input.as_ref().is_some_and(|input| relevant.contains(&input.id));
        let needed: Vec<bool> = node.inputs().iter().map(wanted).collect();
        if !needed.contains(&true) {
            continue;
        }
        let gradients = rule(&gradient, &needed)?;
        for ((input, gradient), needed) in node.inputs().iter().zip(gradients).zip(needed) {
            if let (Some(input), Some(gradient), true) = (input, gradient, needed) {
                pending.add(input, gradient)?;
            }
        }
    }
    Ok(inputs.iter().map(|input| found.get(&input.node()?.id).cloned()).collect())
}

/// All nodes of `output`'s graph from which one of `targets` can be reached.
fn leading_to(output: &Variable, targets: &HashSet<u64>) -> HashSet<u64> {
    let mut nodes: HashMap<u64, Arc<Node>> = HashMap::new();
    let mut open: Vec<Arc<Node>> = output.node().cloned().into_iter().collect();
    while let Some(node) = open.pop() {
        open.extend(node.inputs().iter().flatten().filter(|input| !nodes.contains_key(&input.id)).cloned());
        nodes.insert(node.id, node);
    }
    // Inputs are older than what is made of them, so one pass from old to new settles every node.
    let mut ids: Vec<u64> = nodes.keys().copied().collect();
    ids.sort_unstable();
    let mut relevant = HashSet::new();
    for id in ids {
        let reaches = nodes[&id].inputs().iter().flatten().any(|input| relevant.contains(&input.id));
        if targets.contains(&id) || reaches {
            relevant.insert(id);
        }
    }
    relevant
}
