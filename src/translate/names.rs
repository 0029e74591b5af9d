//! Names of output files.

use std::collections::HashSet;

/// Unique file names without extension: `SOURCE_to_DOMAIN`, then `_GUIDE` where a guide has a name. Folders of the inputs
/// become parts of the name.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// The name of an output, not given out before.
    pub fn of(&mut self, source: &str, domain: &str, guide: &str) -> String {
        let joined = match guide {
            "" => format!("{source}_to_{domain}"),
            guide => format!("{source}_to_{domain}_{guide}"),
        };
        let wanted = joined.replace(['/', '\\'], "-");
        let mut name = wanted.clone();
        let mut count = 1;
        // Names may differ in case alone, which is not enough everywhere.
        while !self.taken.insert(name.to_lowercase()) {
            count += 1;
            name = format!("{wanted}-{count}");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_was_made_and_are_unique() {
        let mut names = Names::default();
        assert_eq!(names.of("cat/1", "dog", "z1"), "cat-1_to_dog_z1");
        assert_eq!(names.of("cat/1", "dog", ""), "cat-1_to_dog");
        assert_eq!(names.of("cat-1", "dog", ""), "cat-1_to_dog-2");
        assert_eq!(names.of("CAT-1", "dog", ""), "CAT-1_to_dog-3");
    }
}
