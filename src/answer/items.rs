//! The entries of a result's arrays as clients see them, with their schemas. Contract 1.6 names the
//! first fields of each and their order; what answerd adds stands behind them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::mentions::Mentions;
use super::{Ad, Entity, Product, Source, price};

/// A link of the answer.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct LinkItem<'a> {
    pub url: Cow<'a, str>,
    /// The title of the page where the engine has told it, else the words of the link.
    pub text: Cow<'a, str>,
}

/// A page that was consulted.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Source")]
pub(super) struct SourceItem<'a> {
    title: &'a str,
    url: &'a str,
    snippet: &'a str,
    #[serde(flatten)]
    mention: Option<MentionItem<'a>>,
}

/// A page that the text rests on.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Citation")]
pub(super) struct CitationItem<'a> {
    title: &'a str,
    url: &'a str,
    snippet: &'a str,
    /// Passages of the page that the answer rests on.
    highlights: &'a [String],
    website_name: &'a str,
    favicon: Option<&'a str>,
    #[serde(flatten)]
    mention: Option<MentionItem<'a>>,
}

/// How the text uses a page; not there with `extra_arrays = false`.
#[derive(Debug, JsonSchema, Serialize)]
struct MentionItem<'a> {
    /// Its place among the pages that the text cites, in the order in which it first does; from 1.
    #[schemars(schema_with = "or_null::<u32>")]
    position: Option<usize>,
    /// How often the text cites it.
    times: usize,
    /// Whether the text cites it; null where the upstream does not tell cited from consulted.
    #[schemars(schema_with = "or_null::<bool>")]
    cited: Option<bool>,
    /// The page's date as the engine wrote it.
    #[schemars(schema_with = "or_null::<String>")]
    date: Option<&'a str>,
}

/// A page with a preview.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct PreviewItem<'a> {
    title: &'a str,
    url: &'a str,
    preview: &'a str,
}

/// A page of the list of results.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct SearchResultItem<'a> {
    title: &'a str,
    url: &'a str,
    snippet: &'a str,
    website_name: &'a str,
}

/// A product that was shown.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Product")]
pub(super) struct ProductItem<'a> {
    asin: &'a str,
    title: &'a str,
    url: &'a str,
    rating: &'a str,
    reviews: &'a str,
    #[serde(flatten)]
    offer: Option<OfferItem<'a>>,
}

/// What a product costs, and where; not there with `extra_arrays = false`.
#[derive(Debug, JsonSchema, Serialize)]
struct OfferItem<'a> {
    /// Its place among the products, from 1.
    position: usize,
    #[schemars(schema_with = "or_null::<PriceItem<'_>>")]
    price: Option<PriceItem<'a>>,
    /// The price before, as it was shown.
    was: &'a str,
    merchant: &'a str,
    /// All who sell it.
    merchants: &'a [String],
    /// The address of its picture.
    image: &'a str,
    /// What is written on its card: `Best seller`.
    tag: &'a str,
}

/// A price as it was shown, and what it surely means.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(inline)]
struct PriceItem<'a> {
    raw: &'a str,
    /// Digits with a point before the cents; null where the text could mean several amounts.
    amount: Option<String>,
    /// Of ISO 4217; null where the text names none, or a sign that several countries use.
    currency: Option<&'static str>,
}

/// An advertisement beside the answer.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Ad")]
pub(super) struct AdItem<'a> {
    brand: &'a str,
    title: &'a str,
    body: &'a str,
    url: &'a str,
    image: &'a str,
    /// Its place among the advertisements, from 1.
    position: usize,
}

/// A brand, a place or a thing that the engine recognized.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Entity")]
pub(super) struct EntityItem<'a> {
    name: &'a str,
    /// The engine's own word for what it is.
    r#type: &'a str,
    url: &'a str,
}

/// Returns the schema of a value or null. The field may be left out, and then `null` as one of its
/// types would be taken for that.
fn or_null<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let value = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [value, { "type": "null" }] })
}

impl<'a> SourceItem<'a> {
    /// Returns the entry of a page; without `mentions` as the contract has it.
    pub(crate) fn of(source: &'a Source, mentions: Option<&Mentions<'_>>) -> Self {
        SourceItem {
            title: &source.title,
            url: &source.url,
            snippet: &source.snippet,
            mention: mentions.map(|mentions| MentionItem::of(source, mentions)),
        }
    }
}

impl<'a> CitationItem<'a> {
    /// Returns the entry of a page; without `mentions` as the contract has it.
    pub(crate) fn of(source: &'a Source, mentions: Option<&Mentions<'_>>) -> Self {
        CitationItem {
            title: &source.title,
            url: &source.url,
            snippet: &source.snippet,
            highlights: &source.highlights,
            website_name: &source.website_name,
            favicon: source.favicon.as_deref(),
            mention: mentions.map(|mentions| MentionItem::of(source, mentions)),
        }
    }
}

impl<'a> MentionItem<'a> {
    fn of(source: &'a Source, mentions: &Mentions<'_>) -> Self {
        let mention = mentions.mention(&source.url);
        MentionItem {
            position: mention.map(|mention| mention.position),
            times: mention.map_or(0, |mention| mention.times),
            cited: mentions.is_cited(&source.url),
            date: Some(source.date.as_str()).filter(|date| !date.is_empty()),
        }
    }
}

impl<'a> PreviewItem<'a> {
    pub(crate) fn of(source: &'a Source) -> Self {
        PreviewItem { title: &source.title, url: &source.url, preview: &source.snippet }
    }
}

impl<'a> SearchResultItem<'a> {
    pub(crate) fn of(source: &'a Source) -> Self {
        SearchResultItem {
            title: &source.title,
            url: &source.url,
            snippet: &source.snippet,
            website_name: &source.website_name,
        }
    }
}

impl<'a> ProductItem<'a> {
    /// Returns the entry of the product at a place from 0, with its offer or in the contract's
    /// form.
    pub(crate) fn of(product: &'a Product, at: usize, has_offer: bool) -> Self {
        ProductItem {
            asin: &product.asin,
            title: &product.title,
            url: &product.url,
            rating: &product.rating,
            reviews: &product.reviews,
            offer: has_offer.then(|| OfferItem {
                position: at + 1,
                price: PriceItem::of(&product.price),
                was: &product.was,
                merchant: &product.merchant,
                merchants: &product.merchants,
                image: &product.image,
                tag: &product.tag,
            }),
        }
    }
}

impl<'a> PriceItem<'a> {
    fn of(raw: &'a str) -> Option<Self> {
        let price::Amount { amount, currency } = price::read(raw);
        (!raw.is_empty()).then_some(PriceItem { raw, amount, currency })
    }
}

impl<'a> AdItem<'a> {
    /// Returns the entry of the advertisement at a place from 0.
    pub(crate) fn of(ad: &'a Ad, at: usize) -> Self {
        AdItem {
            brand: &ad.brand,
            title: &ad.title,
            body: &ad.body,
            url: &ad.url,
            image: &ad.image,
            position: at + 1,
        }
    }
}

impl<'a> EntityItem<'a> {
    pub(crate) fn of(entity: &'a Entity) -> Self {
        EntityItem { name: &entity.name, r#type: &entity.r#type, url: &entity.url }
    }
}
