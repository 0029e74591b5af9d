//! Downloads: what breaks is gone on with, what arrives is checked, what is right is imported.

mod order;
mod transfer;

pub use order::{Fetch, Fetched, fetch};
