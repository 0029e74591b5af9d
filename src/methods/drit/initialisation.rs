//! Initial weights (official code, `gaussian_weights_init`).

use harness_ops::{Declaration, Init};

/// Convolutions, transposed ones too, get weights from N(0, 0.02²). All else stays as PyTorch makes it, declared so already:
/// biases and fully connected layers U(±1/√fan_in), normalisations 1 and 0.
pub(super) fn gaussian(mut declarations: Vec<Declaration>) -> Vec<Declaration> {
    let weights = declarations.iter_mut().filter(|declaration| {
        // A kernel has height and width; a normalisation's scale is C×1×1.
        declaration.shape.len() == 4
    });
    weights.for_each(|declaration| declaration.init = Init::Normal { std: 0.02 });
    declarations
}
