//! The weights of networks that are not trained here, feature extractors and landmarks: which there are, where they lie, and how official files become ours.

mod error;
mod fetch;
mod file;
mod folder;
mod import;
mod network;
mod source;
mod status;

pub use error::WeightsError;
pub use fetch::{Fetch, Fetched, fetch};
pub use folder::{find, folder, path_in};
pub use import::{Destination, Imported, import, import_bytes};
pub use network::{Network, Official};
pub use status::{State, Status, status};
