//! What vendors read off a page beside the answer's text: products, advertisements, and the brands
//! that the engine marked. Prices stay as the vendor wrote them.

use serde_json::Value;

use crate::answer::{Ad, Entity, Product};

use super::json_path;
use super::serp_page::without_new_tab;

/// Under which names the vendors list products.
const SHOPPING: &[&str] = &[
    "shopping_results",
    "inline_shopping_results",
    "inline_shopping",
    "shopping_cards",
    "shoppingCards",
    "inline_products",
    "inlineProducts",
    "products",
];
/// Under which names the vendors list what is paid for.
const SPONSORED: &[&str] = &["ads", "inline_ads", "sponsored_results", "shopping_ads"];
/// Under which names the vendors list entities.
const MARKED: &[&str] = &["entities", "brand_entities"];
/// The title of a card whose products were not read.
const WRAPPER_TITLE: &str = "unknown product";
/// How deep a card may hold further cards.
const DEPTH_MAX: usize = 3;

/// Returns the products that the body lists.
pub(crate) fn products(body: &Value) -> Vec<Product> {
    SHOPPING.iter().flat_map(|key| products_in(json_path::list(body, key))).collect()
}

/// Returns the products on cards: those that a card holds, and else the card's own.
pub(crate) fn products_in(cards: &[Value]) -> Vec<Product> {
    let mut products = Vec::new();
    collect(cards, 0, &mut products);
    products
}

fn collect(cards: &[Value], depth: usize, products: &mut Vec<Product>) {
    if depth == DEPTH_MAX {
        return;
    }
    for card in cards {
        let held = ["products", "items"].map(|key| json_path::list(card, key));
        match held.into_iter().find(|held| !held.is_empty()) {
            Some(held) => collect(held, depth + 1, products),
            None => products.extend(read_product(card)),
        }
    }
}

/// Returns a product as any of the vendors writes one; `None` if it has no title.
fn read_product(card: &Value) -> Option<Product> {
    let title = without_new_tab(json_path::first_text(card, &["title", "name", "product_name"]));
    if title.is_empty() || title.eq_ignore_ascii_case(WRAPPER_TITLE) {
        return None;
    }
    let rating = &card["rating"];
    let reduced = amount(&card["discountPrice"]);
    let full = first(card, &["price", "final_price"], amount);
    let before = ["old_price", "oldPrice", "original_price", "was_price", "was"];
    let was = first(card, &before, amount);
    let regular = priced(&card["price"], &["regular"]);
    let (price, was) = match (reduced.is_empty(), was.is_empty()) {
        (false, true) => (reduced, full),
        (true, true) => (full, regular),
        (_, false) => (full, was),
    };
    let merchants = merchants(card);
    let sellers = ["merchant", "seller", "store", "merchants", "source"];
    let merchant = json_path::first_text(card, &sellers).trim();
    Some(Product {
        asin: json_path::text(card, "asin").to_owned(),
        title: title.to_owned(),
        url: json_path::first_text(card, &["product_link", "productLink", "link", "url"])
            .to_owned(),
        rating: or(json_path::scalar(rating), || json_path::scalar(&rating["value"])),
        reviews: reviews(card),
        price,
        was,
        merchant: match merchants.first() {
            Some(first) if merchant.is_empty() => first.clone(),
            Some(_) | None => merchant.to_owned(),
        },
        merchants,
        image: image(card),
        tag: tag(card),
    })
}

fn or(text: String, otherwise: impl FnOnce() -> String) -> String {
    if text.is_empty() { otherwise() } else { text }
}

/// Returns what `read` makes of the first of `keys` that says something.
fn first(card: &Value, keys: &[&str], read: fn(&Value) -> String) -> String {
    keys.iter().map(|key| read(&card[*key])).find(|text| !text.is_empty()).unwrap_or_default()
}

fn reviews(card: &Value) -> String {
    let keys = ["reviews", "reviews_count", "num_reviews", "numReviews", "reviewCount"];
    or(first(card, &keys, json_path::scalar), || {
        first(&card["rating"], &["votes_count", "count"], json_path::scalar)
    })
}

/// Returns a price as the vendor wrote it; a number and a currency that stand apart are put
/// together.
fn amount(price: &Value) -> String {
    let written = ["raw", "displayed_price", "display_price", "text"];
    or(json_path::scalar(price), || {
        let shown = json_path::first_text(price, &written).trim();
        if shown.is_empty() {
            priced(price, &["amount", "value", "current"])
        } else {
            shown.to_owned()
        }
    })
}

fn priced(price: &Value, keys: &[&str]) -> String {
    let number = first(price, keys, json_path::scalar);
    let currency = json_path::first_text(price, &["currencySymbol", "symbol", "currency"]).trim();
    match (number.is_empty(), currency) {
        (true, _) => String::new(),
        (false, "") => number,
        (false, code) if code.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            format!("{code} {number}")
        }
        (false, sign) => format!("{sign}{number}"),
    }
}

/// Returns all who sell a product, each once.
fn merchants(card: &Value) -> Vec<String> {
    let names = ["merchant_name", "merchant", "seller_name", "seller", "name", "store"];
    let mut merchants: Vec<String> = Vec::new();
    for offer in ["offers", "merchants", "stores"].iter().flat_map(|key| json_path::list(card, key))
    {
        let name = offer.as_str().unwrap_or_else(|| json_path::first_text(offer, &names)).trim();
        if !name.is_empty() && !merchants.iter().any(|known| known == name) {
            merchants.push(name.to_owned());
        }
    }
    merchants
}

fn image(card: &Value) -> String {
    let own = json_path::first_text(card, &["thumbnail", "image", "image_url", "imageUrl"]);
    if !own.is_empty() {
        return own.to_owned();
    }
    let listed = ["image_urls", "imageUrls", "images"].map(|key| &card[key][0]);
    let address = |image: &Value| {
        image.as_str().unwrap_or_else(|| json_path::first_text(image, &["url", "link"])).to_owned()
    };
    listed.into_iter().map(address).find(|url| !url.is_empty()).unwrap_or_default()
}

fn tag(card: &Value) -> String {
    let own = json_path::first_text(card, &["tag", "badge", "featured_tag"]);
    let inner = json_path::text(&card["tag"], "text");
    let listed = card["tags"][0].as_str().unwrap_or_default();
    let tags = [own, inner, listed].map(str::trim);
    tags.into_iter().find(|tag| !tag.is_empty()).unwrap_or_default().to_owned()
}

/// Returns the advertisements that the body lists.
pub(crate) fn ads(body: &Value) -> Vec<Ad> {
    let mut ads = Vec::new();
    for key in SPONSORED {
        // A section of them may have a title of its own.
        let lists = [json_path::list(body, key), json_path::list(&body[*key], "ads")];
        ads.extend(lists.into_iter().flatten().map(read_ad));
    }
    ads.retain(|ad| !ad.title.is_empty() || !ad.body.is_empty());
    ads
}

fn read_ad(ad: &Value) -> Ad {
    let brands = ["brand", "advertiser", "advertiser_name", "store", "seller", "source", "domain"];
    Ad {
        brand: json_path::first_text(ad, &brands).trim().to_owned(),
        title: without_new_tab(json_path::first_text(ad, &["title", "name"])).to_owned(),
        body: json_path::first_text(ad, &["body", "description", "snippet", "text"]).to_owned(),
        url: json_path::first_text(ad, &["url", "link", "tracking_link"]).to_owned(),
        image: image(ad),
    }
}

/// Returns whether the body has a place for products, or for what `keys` name.
pub(crate) fn has_any(body: &Value, keys: &[&str]) -> bool {
    keys.iter().any(|key| body[*key].is_array() || body[*key].is_object())
}

/// Returns the advertisements where the body has a place for them.
pub(crate) fn listed_ads(body: &Value) -> Option<Vec<Ad>> {
    has_any(body, SPONSORED).then(|| ads(body))
}

/// Returns the products where the body has a place for them.
pub(crate) fn listed_products(body: &Value) -> Option<Vec<Product>> {
    has_any(body, SHOPPING).then(|| products(body))
}

/// Returns the entities where the body has a place for them.
pub(crate) fn listed_entities(body: &Value) -> Option<Vec<Entity>> {
    has_any(body, MARKED).then(|| entities(body))
}

/// Returns the entities that the body lists.
pub(crate) fn entities(body: &Value) -> Vec<Entity> {
    let listed = MARKED.iter().flat_map(|key| json_path::list(body, key));
    let entities = listed.map(|entity| Entity {
        name: json_path::first_text(entity, &["name", "title"]).trim().to_owned(),
        r#type: json_path::first_text(entity, &["category", "type"]).trim().to_owned(),
        url: or(json_path::text(entity, "url").to_owned(), || {
            json_path::text(&entity["urls"][0], "url").to_owned()
        }),
    });
    entities.filter(|entity| !entity.name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(card: Value) -> Product {
        let [product] = <[Product; 1]>::try_from(products(&json!({"products": [card]}))).unwrap();
        product
    }

    #[test]
    fn product_is_read_as_any_vendor_writes_it() {
        let of_serpapi =
            one(json!({"title": "Ring. Opens in new tab.", "product_link": "https://s.example/1",
            "price": "₺2.699,99", "old_price": "₺3.000", "extracted_price": 2699.99,
            "source": "Shop",
            "rating": 4, "reviews": 3, "thumbnail": "https://s.example/1.png", "tag": "SALE"}));
        assert_eq!(
            of_serpapi,
            Product {
                title: "Ring".to_owned(),
                url: "https://s.example/1".to_owned(),
                price: "₺2.699,99".to_owned(),
                was: "₺3.000".to_owned(),
                merchant: "Shop".to_owned(),
                rating: "4".to_owned(),
                reviews: "3".to_owned(),
                image: "https://s.example/1.png".to_owned(),
                tag: "SALE".to_owned(),
                ..Product::default()
            }
        );
        let of_dataforseo = one(json!({"title": "Ring", "url": "https://s.example/1",
            "price": {"current": 299.5, "regular": 320, "currency": "USD",
                "displayed_price": "$299.50"},
            "rating": {"value": 4.5, "votes_count": 12}, "merchants": "Walmart + others",
            "images": ["https://s.example/2.png"]}));
        assert_eq!(
            (of_dataforseo.price.as_str(), of_dataforseo.was.as_str()),
            ("$299.50", "USD 320")
        );
        assert_eq!((of_dataforseo.rating.as_str(), of_dataforseo.reviews.as_str()), ("4.5", "12"));
        assert_eq!(of_dataforseo.merchant, "Walmart + others");
        assert_eq!(of_dataforseo.image, "https://s.example/2.png");
        let of_copilot = one(json!({"name": "Ring", "url": "https://s.example/1",
            "price": {"amount": 20, "currency": "USD", "currencySymbol": "$"},
            "discountPrice": {"amount": 15.5, "currencySymbol": "$"}, "seller": "Shop",
            "rating": {"value": 4.1, "count": 9}, "images": [{"url": "https://s.example/3.png"}],
            "tags": ["new"]}));
        assert_eq!((of_copilot.price.as_str(), of_copilot.was.as_str()), ("$15.5", "$20"));
        assert_eq!((of_copilot.reviews.as_str(), of_copilot.tag.as_str()), ("9", "new"));
    }

    #[test]
    fn product_at_several_merchants_is_one() {
        let product =
            one(json!({"title": "Ring", "price": "$9", "offers": [{"merchant_name": "A"},
            {"merchant_name": "B"}, {"seller_name": "A"}, {}]}));
        assert_eq!(
            (product.merchant.as_str(), product.merchants.as_slice()),
            ("A", &["A".to_owned(), "B".to_owned()][..])
        );
    }

    #[test]
    fn wrapper_gives_what_it_holds_and_nothing_of_its_own() {
        let body = json!({"shoppingCards": [
            {"title": "Unknown Product", "products": [{"title": "One"}, {"title": "Two"}]},
            {"title": "Unknown Product"}, {"tags": ["x"]}, {"title": "Three", "products": []},
            null]});
        let titles: Vec<String> =
            products(&body).into_iter().map(|product| product.title).collect();
        assert_eq!(titles, ["One", "Two", "Three"]);
        assert_eq!(listed_products(&json!({"products": null})), None);
        assert_eq!(listed_products(&json!({"products": []})), Some(Vec::new()));
    }

    #[test]
    fn ads_are_apart_from_products() {
        let body = json!({"ads": {"title": "Sponsored", "ads": [{"title": "Buy",
            "url": "https://ad.example/",
                "store": "Shop"}]},
            "shopping_ads": [{"title": "Ring", "seller": "Shop", "link": "https://ad.example/2"},
                {}]});
        let ads = ads(&body);
        assert_eq!(
            (ads.len(), ads[0].brand.as_str(), ads[1].url.as_str()),
            (2, "Shop", "https://ad.example/2")
        );
        assert!(products(&body).is_empty());
        assert_eq!(listed_ads(&json!({})), None);
    }

    #[test]
    fn entities_have_their_kind_and_their_first_address() {
        let body = json!({"brand_entities": [{"type": "brand_entity", "title": "Acme",
            "category": "Tools",
            "urls": [{"url": "https://acme.example/"}]}, {"title": " "}],
            "entities": [{"type": "person", "name": "Ada"}]});
        let entities = entities(&body);
        assert_eq!((entities[0].name.as_str(), entities[0].r#type.as_str()), ("Ada", "person"));
        assert_eq!(
            (entities[1].r#type.as_str(), entities[1].url.as_str()),
            ("Tools", "https://acme.example/")
        );
    }
}
