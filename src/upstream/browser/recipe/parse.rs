//! A recipe from its text: read as a whole, with every rule that it breaks.

use toml::de::DeTable;

use super::read::{Problem, Section, Source};
use super::{RECIPE_BYTES_MAX, Recipe, parts};

impl Recipe {
    /// Reads a recipe. `file` is what problems call it.
    ///
    /// # Errors
    /// Returns every rule that it breaks, with file and line.
    pub fn parse(file: &str, text: &str) -> Result<Recipe, Vec<Problem>> {
        let source = Source::new(file, text);
        if text.len() > RECIPE_BYTES_MAX {
            source.problem(&(0..0), format!("a recipe has at most {RECIPE_BYTES_MAX} bytes"));
            return Err(source.problems());
        }
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                source.problem(&span, format!("not valid TOML: {}", error.message()));
                return Err(source.problems());
            }
        };
        let span = 0..0;
        let recipe = parts::recipe(Section::new(&source, "the recipe", table.get_ref(), span));
        let problems = source.problems();
        match recipe {
            Some(recipe) if problems.is_empty() => Ok(recipe),
            Some(_) | None => Err(problems),
        }
    }
}
