//! The place of a request as search vendors take it.

use url::form_urlencoded::Serializer;

use crate::answer::{AppliedPlace, PlaceBy};
use crate::country;
use crate::job::{Location, ScrapeRequest};
use crate::upstream::UpstreamError;

use super::account::Account;

/// The parts of a place that an engine has a field for, beside the country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Region and city, in one name.
    pub city: bool,
    pub language: bool,
    pub device: bool,
}

impl Fields {
    /// The country alone.
    pub(crate) const COUNTRY: Fields = Fields { city: false, language: false, device: false };
    /// All that Google's pages depend on.
    pub(crate) const GOOGLE: Fields = Fields { city: true, language: true, device: true };
}

/// Checks that all that a strict request asks of its place goes into fields; `taken`: those that
/// there are, `None` where there is not even one for the country.
///
/// # Errors
/// Returns an error if a part of it has no field; nothing was sent.
pub(crate) fn check(
    account: &Account,
    request: &ScrapeRequest,
    taken: Option<Fields>,
) -> Result<(), UpstreamError> {
    let Location { region, city, language, timezone, device, strict } = &request.location;
    if !strict {
        return Ok(());
    }
    let Some(taken) = taken else { return Err(account.place_unsupported("country")) };
    let untold = [
        ("city", city.is_some() && !taken.city),
        ("region", region.is_some() && !taken.city),
        ("timezone", timezone.is_some()),
        ("language", language.is_some() && !taken.language),
        ("device", device.is_some() && !taken.device),
    ];
    match untold.into_iter().find(|(_, is_untold)| *is_untold) {
        Some((part, _)) => Err(account.place_unsupported(part)),
        None => Ok(()),
    }
}

/// Returns the place's name in Google's list of locations: `Austin,Texas,United States`; `None` if
/// no region and no city is asked for.
pub(crate) fn google_location(request: &ScrapeRequest) -> Option<String> {
    let Location { region, city, .. } = &request.location;
    if region.is_none() && city.is_none() {
        return None;
    }
    let country = country::of(&request.country).name;
    let parts = [city.as_deref(), region.as_deref(), Some(country)];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(","))
}

/// Returns Google's `hl`: the language that is asked for, or the country's.
pub(crate) fn google_language(request: &ScrapeRequest) -> String {
    match request.location.language.as_deref() {
        // Google still calls Hebrew by its old code.
        Some("he") => "iw".to_owned(),
        Some(language) => language.to_owned(),
        None => country::of(&request.country).google_language(),
    }
}

/// Writes a prompt and its place as the parameters of a search of Google's; `location` in Google's
/// name for it.
pub(crate) fn fill_google(
    query: &mut Serializer<'_, String>,
    request: &ScrapeRequest,
    location: Option<String>,
) {
    query.append_pair("q", &request.prompt);
    if let Some(location) = location {
        query.append_pair("location", &location);
    }
    query.append_pair("gl", &country::of(&request.country).google_country());
    query.append_pair("hl", &google_language(request));
    if let Some(device) = device(request) {
        query.append_pair("device", device);
    }
}

/// Returns the device that is asked for.
pub(crate) fn device(request: &ScrapeRequest) -> Option<&'static str> {
    request.location.device.map(crate::job::Device::word)
}

/// Returns what of the request's place was passed on in fields.
pub(crate) fn applied(request: &ScrapeRequest, fields: Fields) -> Option<AppliedPlace> {
    let asked = &request.location;
    let location = Location {
        region: asked.region.clone().filter(|_| fields.city),
        city: asked.city.clone().filter(|_| fields.city),
        language: asked.language.clone().filter(|_| fields.language),
        timezone: None,
        device: asked.device.filter(|_| fields.device),
        strict: asked.strict,
    };
    Some(AppliedPlace { country: Some(request.country.clone()), location, by: PlaceBy::Field })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::{Device, Reason};
    use crate::upstream::providers::provider;
    use crate::upstream::providers::test_support::{request, settings};

    #[test]
    fn place_is_named_as_google_lists_it() {
        let mut asked = request();
        assert_eq!(google_location(&asked), None);
        assert_eq!(google_language(&asked), "de");
        asked.country = "US".to_owned();
        asked.location = Location {
            region: Some("Texas".to_owned()),
            language: Some("es".to_owned()),
            timezone: Some("America/Chicago".to_owned()),
            device: Some(Device::Mobile),
            ..Location::default()
        };
        assert_eq!(google_location(&asked).as_deref(), Some("Texas,United States"));
        asked.location.city = Some("Austin".to_owned());
        assert_eq!(google_location(&asked).as_deref(), Some("Austin,Texas,United States"));
        assert_eq!((google_language(&asked).as_str(), device(&asked)), ("es", Some("mobile")));
        let place = applied(&asked, Fields::GOOGLE).unwrap();
        assert_eq!(place.location, Location { timezone: None, ..asked.location.clone() });
        let place = applied(&asked, Fields::COUNTRY).unwrap();
        assert_eq!((place.country.as_deref(), place.location), (Some("US"), Location::default()));
    }

    #[test]
    fn strict_place_is_applied_in_fields_or_not_asked_for() {
        let refusal = |kind, model: &str, location| {
            let mut settings = settings(kind);
            settings.model = model.to_owned();
            settings.base_url = "https://vendor.example".to_owned();
            let mut asked = request();
            asked.location = Location { strict: true, ..location };
            let sent = provider(&settings).unwrap().request(&asked);
            sent.err().map(|error| (error.reason, error.sentence))
        };
        let city = || Location { city: Some("Austin".to_owned()), ..Location::default() };
        let device = || Location { device: Some(Device::Mobile), ..Location::default() };
        let timezone = || Location { timezone: Some("Asia/Tokyo".to_owned()), ..city() };
        for (kind, model, location, part) in [
            (UpstreamKind::Serpapi, "google_ai_mode", city(), None),
            (UpstreamKind::Serpapi, "google_ai_mode", timezone(), Some("timezone")),
            (UpstreamKind::Serpapi, "bing_copilot", Location::default(), Some("country")),
            (UpstreamKind::Searchapi, "google_ai_overview", device(), None),
            (UpstreamKind::Searchapi, "chatgpt", Location::default(), Some("country")),
            (UpstreamKind::Dataforseo, "chatgpt", city(), None),
            (UpstreamKind::Dataforseo, "chatgpt", device(), Some("device")),
            (UpstreamKind::Cloro, "google_ai_mode", city(), None),
            (UpstreamKind::Cloro, "grok", city(), Some("city")),
            (UpstreamKind::Brightdata, "chatgpt", Location::default(), None),
            (UpstreamKind::Brightdata, "chatgpt", city(), Some("city")),
            (UpstreamKind::Oxylabs, "google_ai_mode", city(), None),
            (UpstreamKind::Oxylabs, "perplexity", city(), Some("city")),
            (UpstreamKind::Scrapeless, "copilot", city(), Some("city")),
            // The other answerd checks it.
            (UpstreamKind::Scrapellm, "", timezone(), None),
        ] {
            let expected = part.map(|part| (Reason::PlaceUnsupported, part));
            let found = refusal(kind, model, location);
            let name = kind.word();
            assert_eq!(
                found.as_ref().map(|found| found.0),
                expected.map(|expected| expected.0),
                "{name} {model}: {found:?}"
            );
            if let (Some((_, sentence)), Some((_, part))) = (found, expected) {
                assert!(sentence.contains(part), "{sentence}");
            }
        }
    }
}
