//! The recipes that there are: those that ship with answerd, and those in the folder of the
//! settings, which go before a shipped one of the same name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::recipe::{Problem, RECIPE_BYTES_MAX, Recipe};

/// The most files that a folder of recipes may hold.
const FILES_MAX: usize = 200;

/// Names the recipes that ship once; each is `recipes/NAME.toml`.
macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".toml"), include_str!(concat!("recipes/", $name, ".toml")))),*]
    };
}

/// The recipes that ship with answerd, (file, text). A new file in `recipes/` is added here.
pub const SHIPPED: &[(&str, &str)] = shipped![
    "amazon_rufus",
    "chatgpt",
    "copilot",
    "gemini",
    "google_ai_mode",
    "grok",
    "perplexity",
    "practice",
];

/// Recipes by name.
pub type Recipes = BTreeMap<String, Arc<Recipe>>;

/// Returns the recipes that ship.
///
/// # Errors
/// Returns an error if one of them breaks a rule: a defect, which a test finds.
pub fn shipped() -> Result<Recipes, Vec<Problem>> {
    let mut recipes = Recipes::new();
    for (file, text) in SHIPPED {
        let recipe = Recipe::parse(file, text)?;
        recipes.insert(recipe.name.clone(), Arc::new(recipe));
    }
    Ok(recipes)
}

/// Reads every `*.toml` of a folder over `recipes`. A file that breaks a rule changes nothing, so
/// that the recipe that was there before stays.
pub fn read_folder(folder: &Path, recipes: &mut Recipes) -> Vec<Problem> {
    let mut problems = Vec::new();
    let shown = folder.display().to_string();
    let problem = |file: &str, rule: String| Problem { file: file.to_owned(), line: 1, rule };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![problem(&shown, format!("cannot be read: {error}"))],
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    if files.len() > FILES_MAX {
        problems.push(problem(&shown, format!("a folder has at most {FILES_MAX} recipes")));
        files.truncate(FILES_MAX);
    }
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    for path in files {
        let file = path.display().to_string();
        match read_file(&path) {
            Ok(recipe) => match from.insert(recipe.name.clone(), file.clone()) {
                Some(other) => problems.push(problem(
                    &file,
                    format!("the name `{}` is that of the recipe in {other} too", recipe.name),
                )),
                None => drop(recipes.insert(recipe.name.clone(), Arc::new(recipe))),
            },
            Err(broken) => problems.extend(broken),
        }
    }
    problems
}

/// Reads one file.
///
/// # Errors
/// Returns an error if it cannot be read, or breaks a rule.
pub fn read_file(path: &Path) -> Result<Recipe, Vec<Problem>> {
    let file = path.display().to_string();
    let unreadable = |rule: String| vec![Problem { file: file.clone(), line: 1, rule }];
    let size = std::fs::metadata(path).map_err(|error| unreadable(format!("{error}")))?.len();
    if size > RECIPE_BYTES_MAX as u64 {
        return Err(unreadable(format!("a recipe has at most {RECIPE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(format!("{error}")))?;
    Recipe::parse(&file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_recipe_is_sound_and_bears_the_name_of_its_file() {
        for (file, text) in SHIPPED {
            let recipe = Recipe::parse(file, text).unwrap_or_else(|problems| {
                panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
            });
            assert_eq!(format!("{}.toml", recipe.name), *file);
        }
        assert_eq!(shipped().unwrap().len(), SHIPPED.len());
    }

    #[test]
    fn a_folder_goes_before_what_ships_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let practice = SHIPPED.iter().find(|(file, _)| *file == "practice.toml").unwrap().1;
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("practice.toml", &practice.replace("version = 1", "version = 2"));
        write("own.toml", &practice.replace("\"practice\"", "\"own\""));
        write("notes.txt", "no recipe");
        let mut recipes = shipped().unwrap();
        assert_eq!(read_folder(folder.path(), &mut recipes), []);
        assert_eq!((recipes["practice"].version, recipes["own"].version), (2, 1));

        write("own.toml", "name = 1");
        write("again.toml", practice);
        let problems = read_folder(folder.path(), &mut recipes);
        assert!(problems.iter().any(|problem| problem.file.ends_with("own.toml")), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.rule.contains("too")), "{problems:?}");
        assert_eq!(recipes["own"].version, 1);
    }
}
