//! From images in memory to the input of a network that is only applied, and from its maps to features: what an
//! evaluation does around its networks, where the images lie. Nothing here waits for a device, except
//! [`Readback::finish`].
//!
//! The bodies on the processor and on a GPU give the same numbers to the bit, except for [`pair_distances`], whose sums in
//! double precision have another order. None records gradients.

mod bytes;
mod distances;
mod operands;
mod readback;
mod resample;
mod scale;

pub use bytes::{Quantised, look_up, lookup_table, quantise, to_byte};
pub use distances::{PairSums, UnitLength, pair_distances, unit_scales};
pub use readback::Readback;
#[cfg(feature = "cuda")]
pub(crate) use resample::{Arithmetic, Pass};
pub use resample::{Resampler, Resampling};
pub use scale::{channel_coefficients, scale_channels, spatial_means};
