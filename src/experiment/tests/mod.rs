//! Tests of the experiment file as a whole; parts have theirs beside them.
