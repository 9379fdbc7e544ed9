//! From what was read of a page to an answer.

use std::collections::HashSet;

use super::fault::Fault;
use super::markdown::markdown;
use super::recipe::{Field, Recipe};
use super::values::Reading;
use crate::answer::{Answer, Link, Product, Source, cited_numbers, clean_url};
use crate::catalog::Array;
use crate::job::Reason;

/// An entry of an array: its values by the names of its fields.
struct Entry<'a> {
    fields: &'a [(&'static str, Field)],
    values: Vec<Vec<String>>,
}

impl Entry<'_> {
    fn all(&self, name: &str) -> Vec<String> {
        let at = self.fields.iter().position(|(known, _)| *known == name);
        at.and_then(|at| self.values.get(at).cloned()).unwrap_or_default()
    }

    fn one(&self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    fn position(&self) -> Option<f64> {
        let digits: String =
            self.one("position").chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        digits.parse().ok()
    }

    fn source(&self) -> Source {
        Source {
            url: self.one("url"),
            title: self.one("title"),
            snippet: self.one("snippet"),
            highlights: self.all("highlights"),
            website_name: self.one("website_name"),
            favicon: Some(self.one("favicon")).filter(|favicon| !favicon.is_empty()),
            date: self.one("date"),
        }
    }

    fn product(&self) -> Product {
        Product {
            asin: self.one("asin"),
            title: self.one("title"),
            url: self.one("url"),
            rating: self.one("rating"),
            reviews: self.one("reviews"),
            price: self.one("price"),
            was: self.one("was"),
            merchant: self.one("merchant"),
            merchants: self.all("merchants"),
            image: self.one("image"),
            tag: self.one("tag"),
        }
    }
}

/// Returns the answer that a reading holds.
///
/// # Errors
/// Returns an error if its HTML cannot be turned into Markdown, or says nothing.
pub(crate) fn answer(recipe: &Recipe, reading: Reading) -> Result<Answer, Fault> {
    let mut answer = Answer {
        model: reading.model,
        url: Some(reading.url),
        warnings: reading.warnings,
        ..Answer::default()
    };
    for (array, items) in reading.arrays {
        fill(&mut answer, recipe, array, items);
    }
    let known = answer.sources.as_ref().or(answer.citations.as_ref());
    let addresses: Vec<String> =
        known.into_iter().flatten().map(|source| comparable(&source.url)).collect();
    let number_of = |url: &str| {
        let wanted = comparable(url);
        (!wanted.is_empty())
            .then(|| addresses.iter().position(|known| *known == wanted))?
            .map(|at| at + 1)
    };
    answer.markdown = markdown(&reading.html, &reading.marks, number_of)
        .map_err(|error| Fault::page(Reason::InvalidResponse, error.to_string()))?;
    if answer.citations.is_none() && recipe.answer.marks.is_some() {
        answer.citations = answer.sources.as_ref().map(|sources| cited(&answer.markdown, sources));
    }
    if answer.markdown.trim().is_empty() && answer.products.as_ref().is_none_or(Vec::is_empty) {
        return Err(Fault::page(Reason::Empty, "gave an answer without text"));
    }
    Ok(answer)
}

/// The sources that marks name, in the order in which the marks do.
fn cited(markdown: &str, sources: &[Source]) -> Vec<Source> {
    let numbers = cited_numbers(markdown);
    numbers.into_iter().filter_map(|number| sources.get(number.checked_sub(1)?).cloned()).collect()
}

/// An address without what pages add for counting.
fn comparable(url: &str) -> String {
    clean_url(url).unwrap_or_default()
}

fn fill(answer: &mut Answer, recipe: &Recipe, array: Array, items: Vec<Vec<Vec<String>>>) {
    let Some(part) = recipe.arrays.iter().find(|part| part.array == array) else { return };
    let mut entries: Vec<Entry<'_>> =
        items.into_iter().map(|values| Entry { fields: &part.fields, values }).collect();
    // Those that have no place stay behind those that have one.
    entries.sort_by(|one, other| {
        let place = |entry: &Entry<'_>| entry.position().unwrap_or(f64::MAX);
        place(one).total_cmp(&place(other))
    });
    // Marks count them as they stand on the page; tidying takes out what is there twice.
    let sources = || Some(entries.iter().map(Entry::source).collect());
    match array {
        Array::Sources => answer.sources = sources(),
        Array::Citations => answer.citations = sources(),
        // A scraper that returns one of these returns no `sources`.
        Array::WebSources | Array::SearchResults => answer.sources = sources(),
        Array::XResults => answer.x_results = sources(),
        Array::SearchQueries => {
            answer.queries = Some(once(entries.iter().map(|entry| entry.one("text")), |text| text));
        }
        Array::RelatedQuestions => {
            let texts = entries.iter().map(|entry| entry.one("text"));
            answer.related_questions = Some(once(texts, |text| text));
        }
        Array::Products => {
            answer.products =
                Some(once(entries.iter().map(Entry::product), |product| &product.title));
        }
        // No recipe names them.
        Array::Ads | Array::Entities => {}
        Array::Links => {
            let link = |entry: &Entry<'_>| Link { url: entry.one("url"), text: entry.one("text") };
            answer.links = once(entries.iter().map(link), |link| &link.url);
        }
    }
}

/// Leaves out what has no `key`, and what has one that was there before.
fn once<T>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> &String) -> Vec<T> {
    let mut seen: HashSet<String> = HashSet::new();
    items.filter(|item| !key(item).is_empty() && seen.insert(key(item).clone())).collect()
}
