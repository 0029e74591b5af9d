//! Published numbers, with where they stand and how sure we are of them.

mod published;

pub use published::{Certainty, Published, PublishedTable, TABLES, Tolerance, published_table};
