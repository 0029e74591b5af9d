//! Discriminator D(x, y): StarGAN v2, appendix A, table 7; names of the official state dict.

use super::trunk::{TrunkConfig, trunk};
use crate::experiment::settings::DiscriminatorHead;
use crate::methods::discriminator::Discriminator;
use crate::methods::layers::Conv2d;

/// The trunk with a 1×1 convolution to one logit per domain, of which the image's own is taken. With the ACGAN head
/// (not in the paper) it has one logit and a classifier, `classifier`, on the same features.
pub fn discriminator(config: TrunkConfig, head: DiscriminatorHead, domains: usize) -> Discriminator {
    let (trunk, features) = trunk("main", config);
    let multi_task = head == DiscriminatorHead::MultiTask;
    Discriminator {
        adversarial: Conv2d::new(
            format!("main.{}", trunk.len()),
            [features, if multi_task { domains } else { 1 }],
            1,
            0,
        ),
        classifier: (!multi_task).then(|| Conv2d::new("classifier", [features, domains], 1, 0)),
        trunk,
        multi_task,
    }
}
