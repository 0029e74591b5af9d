//! What happened to images on the way to 8-bit RGB.

use std::collections::BTreeMap;
use std::fmt;

/// Something about an image that a reader of a number should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// Grey values were repeated over the channels.
    Greyscale,
    /// Palette indices were replaced with their colours.
    Palette,
    /// Alpha or a transparent colour was dropped, not composited.
    AlphaDropped,
    /// 16-bit values were reduced to 8 bits.
    SixteenBit,
    /// CMYK was converted without a colour profile.
    Cmyk,
    /// The first of several frames or pages was taken.
    FirstFrame,
    /// The file was damaged, but the decoder went on as Pillow's does.
    CorruptData,
}

impl Note {
    /// What happened, after a count of images.
    fn text(self) -> &'static str {
        match self {
            Note::Greyscale => "greyscale, repeated over the channels",
            Note::Palette => "with a palette, expanded",
            Note::AlphaDropped => "with transparency, which was dropped",
            Note::SixteenBit => "of 16 bits per channel, reduced to 8",
            Note::Cmyk => "CMYK, converted without a profile",
            Note::FirstFrame => "with several frames, of which the first was taken",
            Note::CorruptData => "with damaged data, decoded as far as possible",
        }
    }
}

/// Counted notes, of one image or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Notes(BTreeMap<Note, u64>);

impl Notes {
    /// Counts one more.
    pub fn add(&mut self, note: Note) {
        *self.0.entry(note).or_default() += 1;
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (note, count) in &other.0 {
            *self.0.entry(*note).or_default() += count;
        }
    }

    /// Images with this note.
    pub fn count(&self, note: Note) -> u64 {
        self.0.get(&note).copied().unwrap_or(0)
    }

    /// The notes that occur, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Note, u64)> {
        self.0.iter().map(|(note, count)| (*note, *count))
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (note, count)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{count} {}", note.text())?;
        }
        Ok(())
    }
}
