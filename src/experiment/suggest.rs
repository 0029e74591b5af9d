//! "Did you mean": the nearest known name.

use super::error::ConfigError;
use super::shape::SETTINGS;
use super::source::Location;

/// The known name that a misspelt one most likely stands for: equal but for case, or within a third of its length in
/// edits (insert, delete, replace, swap of neighbours).
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let length = wanted.chars().count();
    known
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= length.max(candidate.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The settings whose last key is `name`: where a key that stands in the wrong table belongs.
fn homes(name: &str) -> Vec<String> {
    let tables = SETTINGS.fields().iter();
    tables.filter(|(_, shape)| shape.has(name)).map(|(table, _)| format!("`{table}.{name}`")).collect()
}

/// The error of a key that is not known in the table `place` (a dotted path, empty for the top of a file).
pub(crate) fn unknown_key(at: Location, name: &str, place: &str, known: &[&str]) -> ConfigError {
    let table = if place.is_empty() { String::new() } else { format!(" in `{place}`") };
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => match homes(name).as_slice() {
            [] => String::new(),
            found => format!("; did you mean {}?", found.join(" or ")),
        },
    };
    ConfigError::at(at, format!("unknown key `{name}`{table}{hint}")).help(format!("known keys: {}", known.join(", ")))
}

/// The error of a name that should be that of a `kind` ("variant", "profile", "data set") of this experiment.
pub(crate) fn unknown_name<'a>(
    at: Location,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> ConfigError {
    let hint = nearest(name, known.clone()).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
    let all: Vec<&str> = known.collect();
    let help = if all.is_empty() { format!("there is no {kind}") } else { format!("known: {}", all.join(", ")) };
    ConfigError::at(at, format!("unknown {kind} {name:?}{hint}")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_takes_typos_and_leaves_strangers() {
        let known = ["iterations", "image_size", "lr", "A", "F"];
        let near = |name| nearest(name, known.into_iter());
        assert_eq!(near("iteratons"), Some("iterations"));
        assert_eq!(near("imagesize"), Some("image_size"));
        assert_eq!(near("f"), Some("F"));
        assert_eq!(near("G"), None);
        assert_eq!(near("weights"), None);
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_home() {
        assert_eq!(homes("lambda_ds"), ["`loss.lambda_ds`"]);
        assert_eq!(homes("arch"), ["`generator.arch`", "`discriminator.arch`"]);
        assert!(homes("nonsense").is_empty());
    }
}
