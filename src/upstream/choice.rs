//! Which upstreams of a scraper a request lets be asked: those of its `kind`, that allow its
//! `model`, and that take the rest of it.

use super::slot::UpstreamSlot;
use super::{Served, UpstreamError};
use crate::job::{Invalid, Kind, PassedOver, Reason, Rule, ScrapeRequest, broken_rule};

/// Checks that a request lets an upstream be asked.
///
/// # Errors
/// Returns an error if it does not; nothing was sent.
pub(super) fn check(
    slot: &UpstreamSlot,
    request: &ScrapeRequest,
) -> Result<(), (PassedOver, UpstreamError)> {
    let (name, kind) = (slot.name(), slot.kind());
    let (why, sentence) = if request.kind.is_some_and(|asked| asked != kind) {
        (PassedOver::Kind, format!("{name} is of the kind {}.", kind.word()))
    } else if request.model.as_ref().is_some_and(|model| !slot.allows_model(model)) {
        (PassedOver::Model, format!("{name} does not allow the model that was asked for."))
    } else {
        return slot.limits().check(name, request).map_err(|error| {
            let by_country = error.reason == Reason::CountryUnsupported;
            (if by_country { PassedOver::Country } else { PassedOver::PromptLength }, error)
        });
    };
    Err((why, UpstreamError::new(Reason::BadRequest, sentence)))
}

/// Checks that some of a scraper's upstreams takes the request. Without any upstream that cannot be
/// said.
///
/// # Errors
/// Returns an error if none does: `kind_refused`, `model_refused`, or as [`Served::check`] says.
pub(super) fn check_all(slots: &[&UpstreamSlot], request: &ScrapeRequest) -> Result<(), Invalid> {
    if slots.is_empty() {
        return Ok(());
    }
    let mut fit = slots.to_vec();
    if let Some(kind) = request.kind {
        fit.retain(|slot| slot.kind() == kind);
        if fit.is_empty() {
            return Err(kind_refused(slots, request, kind));
        }
    }
    if let Some(model) = &request.model {
        let of_kind = fit.clone();
        fit.retain(|slot| slot.allows_model(model));
        if fit.is_empty() {
            return Err(model_refused(&of_kind, request, model));
        }
    }
    Served::new(fit.iter().map(|slot| slot.limits())).check(request)
}

fn kind_refused(slots: &[&UpstreamSlot], request: &ScrapeRequest, given: Kind) -> Invalid {
    let words = slots.iter().map(|slot| slot.kind().word());
    let mut kinds: Vec<String> =
        words.filter(|word| Kind::WORDS.contains(word)).map(|word| format!("`{word}`")).collect();
    kinds.sort();
    kinds.dedup();
    let scraper = &request.scraper;
    let must_be = if kinds.is_empty() {
        format!("left out: no upstream of `{scraper}` has a kind that can be asked for")
    } else {
        format!("one that an upstream of `{scraper}` has: {}", kinds.join(", "))
    };
    Invalid::new(Rule::KindRefused, broken_rule("kind", &must_be, given.word()))
}

fn model_refused(slots: &[&UpstreamSlot], request: &ScrapeRequest, given: &str) -> Invalid {
    let mut models: Vec<String> =
        slots.iter().flat_map(|slot| slot.models_allowed()).map(|it| format!("`{it}`")).collect();
    models.sort();
    models.dedup();
    let allowed = if models.is_empty() {
        "`models_allowed` lists none".to_owned()
    } else {
        models.join(", ")
    };
    let kind = request.kind.map(|kind| format!(" of the kind `{}`", kind.word()));
    let must_be = format!(
        "one that an upstream of `{}`{} allows; {allowed}",
        request.scraper,
        kind.unwrap_or_default()
    );
    Invalid::new(Rule::ModelRefused, broken_rule("model", &must_be, given))
}
