//! What MUNIT's settings may be, and which go together.

use super::{Conflicts, MOST_CHANNELS, Ranges, doubling, of_pairs};
use crate::experiment::settings::{Munit, Settings};

pub(super) fn ranges(m: &Munit, r: &mut Ranges) {
    r.between("munit.style_dim", m.style_dim, 1, 16_384);
    r.between("munit.base_channels", m.base_channels, 1, MOST_CHANNELS);
    r.between("munit.downsamplings", m.downsamplings, 1, 8);
    r.between("munit.style_downsamplings", m.style_downsamplings, 2, 9);
    r.between("munit.residual_blocks", m.residual_blocks, 1, 64);
    r.between("munit.mlp_dim", m.mlp_dim, 1, 16_384);
    r.between("munit.mlp_layers", m.mlp_layers, 2, 64);
    r.between("munit.discriminator_channels", m.discriminator_channels, 1, MOST_CHANNELS);
    r.between("munit.discriminator_layers", m.discriminator_layers, 1, 8);
    r.between("munit.discriminator_scales", m.discriminator_scales, 1, 8);
    r.weight("munit.lambda_gan", m.lambda_gan);
    r.weight("munit.lambda_x", m.lambda_x);
    r.weight("munit.lambda_s", m.lambda_s);
    r.weight("munit.lambda_c", m.lambda_c);
    r.weight("munit.lambda_x_cyc", m.lambda_x_cyc);
}

/// A convolution of stride 2 needs two pixels to halve, and so does a mirrored border.
pub(super) fn conflicts(s: &Settings, found: &mut Conflicts) {
    let (size, m) = (s.train.image_size, &s.munit);
    let halvings = size.checked_ilog2().unwrap_or(0) as usize;
    found.add(
        m.downsamplings < halvings,
        &["munit.downsamplings", "train.image_size"],
        format!("a content code of {} halvings leaves too little of images of {size} pixels", m.downsamplings),
        format!("set munit.downsamplings to {} or less, or enlarge train.image_size", halvings.saturating_sub(1)),
    );
    found.add(
        m.style_downsamplings <= halvings,
        &["munit.style_downsamplings", "train.image_size"],
        format!("images of {size} pixels cannot be halved {} times", m.style_downsamplings),
        format!("set munit.style_downsamplings to {halvings} or less, or enlarge train.image_size"),
    );
    doubling(found, ["munit.base_channels", "munit.downsamplings"], m.base_channels, m.downsamplings, "64 and 2");
    let paths = ["munit.discriminator_channels", "munit.discriminator_layers"];
    doubling(found, paths, m.discriminator_channels, m.discriminator_layers - 1, "64 and 4");
    found.add(
        [m.lambda_gan, m.lambda_x, m.lambda_s, m.lambda_c, m.lambda_x_cyc].iter().any(|&weight| weight > 0.0),
        &["munit.lambda_gan", "munit.lambda_x"],
        "all weights of MUNIT's losses are 0: nothing would be trained".into(),
        "set one of them above 0 (official: lambda_gan = 1, lambda_x = 10)",
    );
    of_pairs(s, found);
    let (layers, scales) = (m.discriminator_layers, m.discriminator_scales);
    let needed = layers + scales - 1;
    found.add(
        needed <= halvings,
        &["munit.discriminator_layers", "munit.discriminator_scales", "train.image_size"],
        format!(
            "a discriminator of {layers} strided layers at {scales} scales needs images of at least 2^{needed} pixels, \
             not {size}"
        ),
        "set munit.discriminator_layers or munit.discriminator_scales lower, or enlarge train.image_size",
    );
}
