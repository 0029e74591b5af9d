//! Reverse-mode automatic differentiation.
//!
//! An operation on [`Variable`]s that need gradients leaves a node: its inputs and the rule that turns the gradient of
//! its output into gradients of its inputs. There are two explicit ways to use the nodes:
//!
//! * [`Variable::backward`] for an optimiser step. It consumes the graph: every node gives up its saved tensors as soon as
//!   its rule has run, so memory falls as the pass goes, and nothing is recorded meanwhile.
//! * [`gradient`] for gradient penalties. It leaves the graph alone and records the rules' own operations, so that the
//!   gradient is a variable like any other. All operations of this crate have rules made of operations of this crate,
//!   hence gradients of any order are exact.

mod backward;
mod variable;

pub(crate) use backward::sum;
pub use backward::{Gradients, gradient};
pub use variable::Variable;
pub(crate) use variable::{is_recording, record};
