//! Reads an experiment file and the files it extends into one tree.

use super::error::{Collector, ConfigError, ConfigErrors};
use super::node::{Node, Value};
use super::source::{Location, Source};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use toml_edit::Document;

/// Gives the text of a file.
pub(crate) type Reader<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Keys of `[experiment]` that a file does not pass on to the files that extend it.
const OWN_KEYS: [&str; 6] = ["name", "title", "description", "table", "tables", "extends"];

/// More files than this in a row are taken for a cycle that symbolic links hide.
const LONGEST_CHAIN: usize = 32;

/// The tree of `path` laid over those of the files it extends, and the start of `path`.
pub(crate) fn read_tree(path: &Path, reader: Reader) -> Result<(Node, Location), ConfigErrors> {
    let mut trees = Vec::new();
    let mut seen = Vec::new();
    let mut next = Some((path.to_path_buf(), None));
    while let Some((path, from)) = next {
        let real = real_path(&path);
        if let Some(from) = &from
            && (seen.contains(&real) || trees.len() >= LONGEST_CHAIN)
        {
            return Err(cycle(from, &path).into());
        }
        seen.push(real);
        let source = read(&path, reader, from)?;
        let tree = parse(&source)?;
        next = base_of(&path, &tree);
        trees.push((tree, Location::new(&source, 0..0)));
    }
    let start = trees[0].1.clone();
    let mut trees = trees.into_iter().rev();
    let (mut merged, _) = trees.next().unwrap_or_else(|| (Node::empty(&start), start.clone()));
    for (tree, _) in trees {
        forget_own_keys(&mut merged);
        merged.merge(tree);
    }
    Ok((merged, start))
}

fn read(path: &Path, reader: Reader, from: Option<Location>) -> Result<Arc<Source>, ConfigErrors> {
    let name = path.display().to_string();
    match reader(path) {
        Ok(text) => Ok(Source::file(name, text)),
        Err(error) => {
            let message = format!("cannot read {name}: {error}");
            let error = match from {
                Some(from) => ConfigError::at(from, message).help("`extends` is relative to the file that says it"),
                None => ConfigError::nowhere(message).help("give the path of an experiment file"),
            };
            Err(error.into())
        }
    }
}

fn parse(source: &Arc<Source>) -> Result<Node, ConfigErrors> {
    match Document::parse(source.text()) {
        Ok(document) => Ok(Node::from_document(source, document.as_table())),
        Err(error) => Err(syntax_error(source, &error).into()),
    }
}

/// A syntax error at its place.
pub(crate) fn syntax_error(source: &Arc<Source>, error: &toml_edit::TomlError) -> ConfigError {
    let at = Location::new(source, error.span().unwrap_or(0..0));
    let message = error.message().trim().replace('\n', ", ");
    ConfigError::at(at, format!("not valid TOML: {message}"))
}

/// The file that a tree extends. A value that is no string is left to the check of `[experiment]`.
fn base_of(path: &Path, tree: &Node) -> Option<(PathBuf, Option<Location>)> {
    let node = tree.lookup("experiment.extends")?;
    let Value::String(base) = &node.value else { return None };
    let folder = path.parent().unwrap_or(Path::new(""));
    Some((folder.join(base), Some(node.at.clone())))
}

fn forget_own_keys(tree: &mut Node) {
    let Value::Table(entries) = &mut tree.value else { return };
    let Some((_, experiment)) = entries.iter_mut().find(|(name, _)| name == "experiment") else { return };
    if let Value::Table(entries) = &mut experiment.value {
        entries.retain(|(name, _)| !OWN_KEYS.contains(&name.as_str()));
    }
}

fn cycle(from: &Location, path: &Path) -> ConfigError {
    let message = format!("{} extends itself, through this", path.display());
    ConfigError::at(from.clone(), message).help("remove one `extends` of the circle")
}

/// A path that two spellings of the same file share.
fn real_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| {
        let mut real = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir if real.file_name().is_some() => {
                    real.pop();
                }
                other => real.push(other),
            }
        }
        real
    })
}

/// Checks that the top of a file holds known tables alone; reports what is not one.
pub(crate) fn known_tables(tree: &Node, known: &[&str], errors: &mut Collector) {
    for (name, node) in tree.entries() {
        if !known.contains(&name.as_str()) {
            errors.push(super::suggest::unknown_key(node.key_at.clone(), name, "", known));
        }
    }
}
