//! Symmetric eigendecompositions in double precision.
