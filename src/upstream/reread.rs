//! Replies that were kept, read again by today's adapter. Nothing is asked of anybody.

use std::collections::BTreeMap;

use super::browser::kept;
use super::browser::recipes::Recipes;
use super::browser::whereabouts::Whereabouts;
use super::http::put_targets;
use super::provider::Step;
use super::slot::says_nothing;
use super::{UpstreamError, providers};
use crate::answer::{Answer, Kind};
use crate::config::{self, UpstreamKind};
use crate::job::ScrapeRequest;
use crate::net::HttpReply;

/// The reason why replies cannot be read again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RereadError {
    /// It answers over no HTTP API.
    #[error("its kind keeps nothing that an answer is read from")]
    NoProvider,
    #[error("the recipe `{0}` is not there, or breaks a rule")]
    NoRecipe(String),
    /// Today's adapter would ask for more.
    #[error("the adapter needs a reply that is not there")]
    Unfinished,
    #[error("the adapter finds no text in them")]
    Empty,
    #[error(transparent)]
    Failed(#[from] UpstreamError),
}

/// Returns the answer that an upstream's replies hold, one for each round, and where it is from.
/// `redirects` are where its addresses have led to, and `recipes` how pages are read.
///
/// # Errors
/// Returns an error if its adapter finds no answer in them.
pub fn reread(
    configured: &config::Upstream,
    request: &ScrapeRequest,
    replies: &[HttpReply],
    redirects: &BTreeMap<String, String>,
    recipes: &Recipes,
) -> Result<(Answer, Kind), RereadError> {
    if configured.kind == UpstreamKind::Browser {
        return reread_page(configured, request, replies, recipes);
    }
    let provider = providers::provider(configured).ok_or(RereadError::NoProvider)?;
    let Step::Done(answer) = provider.reply(request, replies)? else {
        return Err(RereadError::Unfinished);
    };
    let mut answer = Answer { usage: provider.usage(replies), ..*answer };
    if let Some(prefix) = provider.resolve_prefix() {
        put_targets(&mut answer, prefix, redirects);
    }
    Ok((told(answer)?, provider.kind()))
}

/// As [`reread`], of a page.
fn reread_page(
    configured: &config::Upstream,
    request: &ScrapeRequest,
    replies: &[HttpReply],
    recipes: &Recipes,
) -> Result<(Answer, Kind), RereadError> {
    let recipe = &configured.recipe;
    let recipe = recipes.get(recipe).ok_or_else(|| RereadError::NoRecipe(recipe.clone()))?;
    let answer = kept::answer(recipe, replies).ok_or(RereadError::Unfinished)?;
    let answer = answer.map_err(|fault| fault.told(&configured.name))?;
    let place = Whereabouts::of(&request.country, &request.location).applied;
    Ok((told(Answer { place: Some(place), ..answer })?, Kind::Browser))
}

/// Returns an answer normalized, if it says something.
fn told(answer: Answer) -> Result<Answer, RereadError> {
    let answer = answer.normalized();
    if says_nothing(&answer) { Err(RereadError::Empty) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::providers::test_support::{ok, request, settings};

    #[test]
    fn known_redirects_are_followed_without_a_look() {
        let redirect = |id: &str| {
            format!("https://vertexaisearch.cloud.google.com/grounding-api-redirect/{id}")
        };
        let chunk = |id: &str| json!({"web": {"uri": redirect(id), "title": "a.example"}});
        let body = json!({"candidates": [{"content": {"parts": [{"text": "Four."}]},
            "groundingMetadata": {"webSearchQueries": ["sum"],
                "groundingChunks": [chunk("known"), chunk("gone")],
                "groundingSupports": [{"segment": {"text": "Four."},
                    "groundingChunkIndices": [0]}]}}],
            "usageMetadata": {"promptTokenCount": 7}});
        let page = "https://a.example/page".to_owned();
        let redirects = BTreeMap::from([(redirect("known"), page.clone())]);
        let configured = settings(UpstreamKind::Gemini);
        let (answer, _) =
            reread(&configured, &request(), &[ok(&body)], &redirects, &Recipes::new()).unwrap();
        let urls = |pages: Option<Vec<crate::answer::Source>>| -> Vec<String> {
            pages.into_iter().flatten().map(|page| page.url).collect()
        };
        assert_eq!(urls(answer.sources), [page.clone(), redirect("gone")]);
        assert_eq!(urls(answer.citations), [page]);
        assert_eq!(answer.usage.input_tokens, Some(7));
    }

    #[test]
    fn replies_that_are_no_answer_are_left() {
        let read = |kind, body| {
            reread(&settings(kind), &request(), &[ok(&body)], &BTreeMap::new(), &Recipes::new())
        };
        let begun = json!({"id": "resp_1", "status": "queued"});
        assert_eq!(read(UpstreamKind::Openai, begun).unwrap_err(), RereadError::Unfinished);
        let none = json!({"candidates": []});
        assert!(matches!(read(UpstreamKind::Gemini, none), Err(RereadError::Failed(_))));
        assert_eq!(read(UpstreamKind::Practice, json!({})).unwrap_err(), RereadError::NoProvider);
        let unknown = read(UpstreamKind::Browser, json!({}));
        assert!(matches!(unknown, Err(RereadError::NoRecipe(_))), "{unknown:?}");
    }
}
