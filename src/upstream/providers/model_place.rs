//! The place of a request as official APIs are told it: fields of a search tool, and a sentence to
//! the model for what they have no field for.

use serde_json::{Map, Value};

use crate::answer::{AppliedPlace, PlaceBy};
use crate::country;
use crate::job::{Location, ScrapeRequest};
use crate::upstream::UpstreamError;

use super::account::Account;

/// A part of a place below its country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    City,
    Region,
    Timezone,
    Language,
}

/// What a place has below its country, in the order of an address.
fn parts(location: &Location) -> impl Iterator<Item = (Part, &'static str, &str)> {
    // No API takes a device, and strictness is no part of a place.
    let Location { region, city, language, timezone, device: _, strict: _ } = location;
    let parts = [
        (Part::City, "city", city),
        (Part::Region, "region", region),
        (Part::Timezone, "timezone", timezone),
        (Part::Language, "language", language),
    ];
    parts.into_iter().filter_map(|(part, name, value)| Some((part, name, value.as_deref()?)))
}

/// Checks that all that a strict request asks of its place goes into fields: those `taken`, and the
/// country where there are any. A sentence is no more than a hint to the model.
///
/// # Errors
/// Returns an error if a part of it has no field; nothing was sent.
pub(crate) fn check(
    account: &Account,
    request: &ScrapeRequest,
    taken: Option<&[Part]>,
) -> Result<(), UpstreamError> {
    if !request.location.strict {
        return Ok(());
    }
    let Some(taken) = taken else { return Err(account.place_unsupported("country")) };
    if request.location.device.is_some() {
        return Err(account.place_unsupported("device"));
    }
    match parts(&request.location).find(|(part, ..)| !taken.contains(part)) {
        Some((_, name, _)) => Err(account.place_unsupported(name)),
        None => Ok(()),
    }
}

/// Returns the fields of a `user_location`: the country, and those `taken` of the other parts.
pub(crate) fn fields(request: &ScrapeRequest, taken: &[Part]) -> Map<String, Value> {
    let country = ("country".to_owned(), Value::from(request.country.as_str()));
    let rest = parts(&request.location).filter(|(part, ..)| taken.contains(part));
    let rest = rest.map(|(_, name, value)| (name.to_owned(), Value::from(value)));
    [country].into_iter().chain(rest).collect()
}

/// Returns the sentences that tell a model the whole place.
pub(crate) fn sentences(request: &ScrapeRequest) -> Vec<String> {
    let location = &request.location;
    let names = [&location.city, &location.region].into_iter().flatten();
    let names: Vec<&str> = names.map(String::as_str).collect();
    let mut sentences = vec![country::of(&request.country).hint_of(&names)];
    sentences.extend(sentences_but(request, &[Part::City, Part::Region]));
    sentences
}

/// Returns the sentences that tell a model the parts of the place below the country, without those
/// that fields have `told` it.
pub(crate) fn sentences_but(request: &ScrapeRequest, told: &[Part]) -> Vec<String> {
    let untold = parts(&request.location).filter(|(part, ..)| !told.contains(part));
    let sentence = |(part, _, value)| match part {
        Part::City => format!("The user's city is {value}."),
        Part::Region => format!("The user's region is {value}."),
        Part::Timezone => format!("The user's time zone is {value}."),
        Part::Language => format!("The user's language is {value}."),
    };
    untold.map(sentence).collect()
}

/// Returns what was told of the place: all of it but the device.
pub(crate) fn applied(request: &ScrapeRequest, by: PlaceBy) -> AppliedPlace {
    let location = Location { device: None, strict: false, ..request.location.clone() };
    AppliedPlace { country: Some(request.country.clone()), location, by }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::{Device, Reason};
    use crate::upstream::provider::Step;
    use crate::upstream::providers::provider;
    use crate::upstream::providers::test_support::{ok, request, settings};

    const WHOLE: &str = "The user is in Austin, Texas, the United States. The user's time zone is \
                         America/Chicago. The user's language is es.";
    const SEARCH: &str = "Search the web before you answer.";

    fn austin() -> ScrapeRequest {
        let location = Location {
            region: Some("Texas".to_owned()),
            city: Some("Austin".to_owned()),
            language: Some("es".to_owned()),
            timezone: Some("America/Chicago".to_owned()),
            device: Some(Device::Mobile),
            strict: false,
        };
        ScrapeRequest { country: "US".to_owned(), location, ..request() }
    }

    /// What an API is told of Austin: values of its request, by their places in it.
    type Told = Vec<(&'static str, Value)>;

    fn rows() -> Vec<(UpstreamKind, PlaceBy, Told, Value)> {
        let nothing = Value::Null;
        let location = json!({"type": "approximate", "country": "US", "region": "Texas",
            "city": "Austin", "timezone": "America/Chicago"});
        let language = "The user's language is es.";
        let responses = json!({"output": [{"type": "message", "content": "Four."}]});
        let chat = json!({"choices": [{"message": {"content": "Four."}}]});
        let gemini = json!({"candidates": [{"content": {"parts": [{"text": "Four."}]}}]});
        let anthropic = json!({"content": [{"type": "text", "text": "Four."}]});
        let mistral = json!({"outputs": [{"type": "message.output", "content": "Four."}]});
        vec![
            (
                UpstreamKind::Openai,
                PlaceBy::Field,
                vec![
                    ("/tools/0/user_location", location.clone()),
                    ("/instructions", json!(language)),
                ],
                responses.clone(),
            ),
            (
                UpstreamKind::Perplexity,
                PlaceBy::Field,
                vec![
                    (
                        "/tools/0/user_location",
                        json!({"country": "US", "region": "Texas", "city": "Austin"}),
                    ),
                    ("/language_preference", json!("es")),
                    ("/instructions", json!("The user's time zone is America/Chicago.")),
                ],
                responses.clone(),
            ),
            (
                UpstreamKind::Gemini,
                PlaceBy::Instruction,
                vec![
                    ("/systemInstruction/parts/0/text", json!(format!("{SEARCH} {WHOLE}"))),
                    ("/toolConfig", nothing),
                ],
                gemini,
            ),
            (
                UpstreamKind::Xai,
                PlaceBy::Instruction,
                vec![
                    ("/input/0/content", json!(WHOLE)),
                    ("/tools/0", json!({"type": "web_search"})),
                ],
                responses,
            ),
            (
                UpstreamKind::Anthropic,
                PlaceBy::Field,
                vec![
                    ("/tools/0/user_location", location),
                    ("/system", json!(format!("{SEARCH} {language}"))),
                ],
                anthropic,
            ),
            (
                UpstreamKind::Mistral,
                PlaceBy::Instruction,
                vec![("/instructions", json!(WHOLE))],
                mistral,
            ),
            (
                UpstreamKind::Compatible,
                PlaceBy::Instruction,
                vec![("/messages/0/content", json!(WHOLE))],
                chat,
            ),
        ]
    }

    #[test]
    fn every_api_is_told_the_whole_place() {
        for (kind, by, told, reply) in rows() {
            let provider = provider(&settings(kind)).unwrap();
            let body = provider.request(&austin()).unwrap().body.unwrap();
            for (pointer, expected) in told {
                let value = body.pointer(pointer).unwrap_or(&Value::Null);
                assert_eq!(*value, expected, "{kind:?} {pointer}: {body:#}");
            }
            assert!(!body.to_string().contains("mobile"), "{kind:?}: {body:#}");
            let Ok(Step::Done(answer)) = provider.reply(&austin(), &[ok(&reply)]) else {
                panic!("{kind:?}")
            };
            let place = answer.place.unwrap();
            assert_eq!((place.by, place.country.as_deref()), (by, Some("US")), "{kind:?}");
            let parts = [Some("Texas"), Some("Austin"), Some("es"), Some("America/Chicago"), None];
            assert_eq!(place.location.parts(), parts, "{kind:?}");
        }
    }

    #[test]
    fn without_a_search_the_whole_place_is_told_in_words() {
        let quiet = ScrapeRequest { web_search: false, ..austin() };
        for (kind, _, _, reply) in rows() {
            let provider = provider(&settings(kind)).unwrap();
            let body = provider.request(&quiet).unwrap().body.unwrap();
            assert!(body.to_string().contains(WHOLE), "{kind:?}: {body:#}");
            let Ok(Step::Done(answer)) = provider.reply(&quiet, &[ok(&reply)]) else {
                panic!("{kind:?}")
            };
            assert_eq!(answer.place.unwrap().by, PlaceBy::Instruction, "{kind:?}");
            let search = answer.search.unwrap();
            assert!(!search.asked, "{kind:?}");
        }
    }

    #[test]
    fn strict_place_is_refused_where_a_part_has_no_field() {
        let strict = |country: &str, location: Location| ScrapeRequest {
            country: country.to_owned(),
            location: Location { strict: true, ..location },
            ..request()
        };
        let name = |name: &str| Some(name.to_owned());
        let city = Location { city: name("Austin"), region: name("Texas"), ..Location::default() };
        let rows = [
            (Location::default(), ["", "", "country", "country"]),
            (city.clone(), ["", "", "country", "country"]),
            (
                Location { timezone: name("America/Chicago"), ..city.clone() },
                ["", "timezone", "country", "country"],
            ),
            (
                Location { language: name("es"), ..city.clone() },
                ["language", "", "country", "country"],
            ),
            (
                Location { device: Some(Device::Mobile), ..city },
                ["device", "device", "country", "country"],
            ),
        ];
        let kinds = [
            UpstreamKind::Openai,
            UpstreamKind::Perplexity,
            UpstreamKind::Gemini,
            UpstreamKind::Compatible,
        ];
        for (location, unsupported) in rows {
            for (kind, part) in kinds.into_iter().zip(unsupported) {
                let asked = strict("US", location.clone());
                let sent = provider(&settings(kind)).unwrap().request(&asked);
                let refused = sent.err().map(|error| (error.reason, error.sentence));
                let expected = (!part.is_empty()).then(|| {
                    let sentence = format!("test cannot apply the {part} that is asked for.");
                    (Reason::PlaceUnsupported, sentence)
                });
                assert_eq!(refused, expected, "{kind:?} {asked:?}");
            }
            // Without a search there is no field.
            let quiet = ScrapeRequest { web_search: false, ..strict("US", location) };
            assert!(provider(&settings(UpstreamKind::Openai)).unwrap().request(&quiet).is_err());
        }
    }

    #[test]
    fn country_alone_is_told_as_ever() {
        let sentences = sentences(&request());
        assert_eq!(sentences, ["The user is in Germany."]);
        assert_eq!(Value::from(fields(&request(), &[Part::City])), json!({"country": "DE"}));
        assert_eq!(sentences_but(&request(), &[]), Vec::<String>::new());
    }
}
