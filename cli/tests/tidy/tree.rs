//! The files of the workspace, by their paths from its root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What can be held: sources, manifests, samples, templates.
const ENDINGS: [&str; 4] = [".rs", ".toml", ".json", ".yaml"];

#[derive(Clone, Debug)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The workspace as it is, but for what cargo makes and what is hidden.
    pub fn read() -> Tree {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = BTreeMap::new();
        add(&root, &root, &mut files);
        Tree { files }
    }

    /// A tree of these files and no others.
    pub fn of<'t>(files: impl IntoIterator<Item = (String, &'t str)>) -> Tree {
        let files = files.into_iter().map(|(path, text)| (path, text.to_string()));
        Tree { files: files.collect() }
    }

    /// The files below a folder whose paths end so, in the order of their paths.
    pub fn below(&self, folder: &str, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| path.starts_with(folder) && path.ends_with(ending))
    }

    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// What a file says: nothing, if there is none.
    pub fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// The same with another text in one file.
    pub fn with(&self, path: &str, text: &str) -> Tree {
        let mut tree = self.clone();
        tree.files.insert(path.to_string(), text.to_string());
        tree
    }

    /// The same without a file, which is there.
    pub fn without(&self, path: &str) -> Tree {
        let mut tree = self.clone();
        tree.files.remove(path).unwrap_or_else(|| panic!("there is no {path}"));
        tree
    }
}

fn add(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_string();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            add(root, &path, files);
        } else if path.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let shown = path.strip_prefix(root).expect("it is below the root").to_string_lossy();
            files.insert(shown.to_string(), text);
        }
    }
}
