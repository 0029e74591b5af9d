//! The page: one HTML file beside its pictures, without scripts, that opens from a folder.

mod document;
mod html;

pub(crate) use document::{Page, Picture, RunDetail, page};
