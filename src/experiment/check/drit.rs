//! What DRIT's settings may be, and which go together.

use super::{Conflicts, Ranges, doubling, of_pairs};
use crate::experiment::settings::{Drit, Settings};
use crate::methods::drit::most_content_layers;

pub(super) fn ranges(d: &Drit, r: &mut Ranges) {
    r.between("drit.latent_dim", d.latent_dim, 1, 16_384);
    r.between("drit.base_channels", d.base_channels, 1, 4096);
    r.between("drit.discriminator_channels", d.discriminator_channels, 1, 4096);
    r.between("drit.discriminator_layers", d.discriminator_layers, 1, 10);
    r.between("drit.discriminator_scales", d.discriminator_scales, 1, 10);
    r.between("drit.content_layers", d.content_layers.unwrap_or(0), 0, 10);
    r.at_least("drit.d_iter", d.d_iter, 1);
    r.positive("drit.content_clip_norm", d.content_clip_norm);
    r.positive("drit.content_lr_factor", d.content_lr_factor);
    r.weight("drit.lambda_content", d.lambda_content);
    r.weight("drit.lambda_cross", d.lambda_cross);
    r.weight("drit.lambda_self", d.lambda_self);
    r.weight("drit.lambda_kl", d.lambda_kl);
    r.weight("drit.lambda_content_l2", d.lambda_content_l2);
    r.weight("drit.lambda_latent", d.lambda_latent);
    r.weight("drit.lambda_ms", d.lambda_ms);
}

pub(super) fn conflicts(s: &Settings, found: &mut Conflicts) {
    let (d, size, batch) = (&s.drit, s.train.image_size, s.train.batch_size);
    found.add(
        batch.is_multiple_of(2),
        &["train.batch_size", "method"],
        format!(
            "a batch of {batch} images has no halves: DRIT encodes the first, and the second is real to its others"
        ),
        "set train.batch_size to an even number (official: 2)",
    );
    found.add(
        s.train.gradient_accumulation == 1,
        &["train.gradient_accumulation", "method"],
        "`train.gradient_accumulation` is set, but DRIT's batches are not cut into parts".into(),
        "leave it out",
    );
    found.add(
        s.optimizer.n_critic == 1,
        &["optimizer.n_critic", "method"],
        format!("`optimizer.n_critic` is {}, but DRIT's cycle is `drit.d_iter`", s.optimizer.n_critic),
        "leave it out",
    );
    found.add(
        d.d_iter <= s.train.iterations,
        &["drit.d_iter", "train.iterations"],
        format!(
            "a cycle of {} iterations is longer than the {} of training: the generator would never be updated",
            d.d_iter, s.train.iterations
        ),
        "set drit.d_iter lower (official: 3), or train.iterations higher",
    );
    let paths = ["drit.discriminator_channels", "drit.discriminator_layers"];
    doubling(found, paths, d.discriminator_channels, d.discriminator_layers - 1, "64 and 4");
    of_pairs(s, found);
    // Every strided convolution of the smallest scale needs two pixels: its border is mirrored.
    let needed = d.discriminator_layers + d.discriminator_scales - 1;
    found.add(
        size >> needed > 0,
        &["drit.discriminator_layers", "drit.discriminator_scales", "train.image_size"],
        format!(
            "discriminators of {} strided layers at {} scales need images of at least 2^{needed} pixels, not {size}",
            d.discriminator_layers, d.discriminator_scales
        ),
        "set drit.discriminator_layers or drit.discriminator_scales lower, or enlarge train.image_size",
    );
    let most = most_content_layers(size).unwrap_or(0);
    found.add(
        d.content_layers.is_none_or(|layers| layers <= most),
        &["drit.content_layers", "train.image_size"],
        format!(
            "contents of images of {size} pixels are too small for a content discriminator of {} strided layers",
            d.content_layers.unwrap_or(0)
        ),
        format!("set drit.content_layers to {most} or less, or leave it out"),
    );
}
