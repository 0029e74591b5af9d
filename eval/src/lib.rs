//! Pinned evaluation protocols: feature extractors, LPIPS and Fréchet distances.
