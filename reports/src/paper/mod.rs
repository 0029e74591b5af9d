//! Published numbers, with where they stand and how sure we are of them.

mod published;

pub use published::{
    Certainty, Figures, Note, Numbers, Outputs, Published, PublishedRow, PublishedTable, REAL, Requirement, TABLES,
    TaskNumbers, Tolerance, Unknown, published_table,
};
