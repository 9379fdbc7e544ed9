//! Normalizes what is sold, advertised and named beside an answer.

use std::collections::{HashMap, HashSet};

use super::lines::{LIST_ITEMS_MAX, distinct_lines, line};
use super::{Ad, Entity, Product, clean_url};

/// What shops' cards are called that only hold other cards.
const PLACEHOLDER: &str = "unknown product";

/// Returns the products that have a name, an address or a number, each once, in order of first
/// appearance. One that several merchants sell is one product.
pub(super) fn distinct_products(products: Vec<Product>) -> Vec<Product> {
    let mut kept: Vec<Product> = Vec::new();
    let mut place_of: HashMap<String, usize> = HashMap::new();
    let mut titled: HashMap<String, usize> = HashMap::new();
    for product in products.into_iter().map(tidy) {
        let keys = [&product.asin, &product.url, &product.title];
        let Some(key) = keys.into_iter().find(|key| !key.is_empty()).cloned() else { continue };
        let title = product.title.to_lowercase();
        let elsewhere = titled.get(&title).filter(|place| {
            let other = &kept[**place];
            !product.merchant.is_empty()
                && !other.merchant.is_empty()
                && !other.merchants.contains(&product.merchant)
        });
        if let Some(place) = place_of.get(&key).or(elsewhere) {
            let known = &mut kept[*place];
            known.merchants.extend(product.merchants);
            known.merchants = distinct_lines(std::mem::take(&mut known.merchants));
            continue;
        }
        if kept.len() == LIST_ITEMS_MAX {
            break;
        }
        place_of.insert(key, kept.len());
        if !title.is_empty() {
            titled.entry(title).or_insert(kept.len());
        }
        kept.push(product);
    }
    kept
}

fn tidy(product: Product) -> Product {
    let title = line(product.title);
    let merchant = line(product.merchant);
    let merchants = std::iter::once(merchant).chain(product.merchants).collect();
    let merchants = distinct_lines(merchants);
    Product {
        asin: line(product.asin),
        title: if title.eq_ignore_ascii_case(PLACEHOLDER) { String::new() } else { title },
        url: clean_url(&product.url).unwrap_or_default(),
        rating: line(product.rating),
        reviews: line(product.reviews),
        price: line(product.price),
        was: line(product.was),
        merchant: merchants.first().cloned().unwrap_or_default(),
        merchants,
        image: clean_url(&product.image).unwrap_or_default(),
        tag: line(product.tag),
    }
}

/// Returns the advertisements that lead somewhere or say something, each once.
pub(super) fn distinct_ads(ads: Vec<Ad>) -> Vec<Ad> {
    let mut seen = HashSet::new();
    let ads = ads.into_iter().map(|ad| Ad {
        brand: line(ad.brand),
        title: line(ad.title),
        body: line(ad.body),
        url: clean_url(&ad.url).unwrap_or_default(),
        image: clean_url(&ad.image).unwrap_or_default(),
    });
    let ads = ads.filter(|ad| {
        let says = !ad.url.is_empty() || !ad.title.is_empty();
        says && seen.insert((ad.url.clone(), ad.title.clone()))
    });
    ads.take(LIST_ITEMS_MAX).collect()
}

/// Returns the entities that have a name, each once.
pub(super) fn distinct_entities(entities: Vec<Entity>) -> Vec<Entity> {
    let mut seen = HashSet::new();
    let entities = entities.into_iter().map(|entity| Entity {
        name: line(entity.name),
        r#type: line(entity.r#type),
        url: clean_url(&entity.url).unwrap_or_default(),
    });
    let entities = entities.filter(|entity| {
        !entity.name.is_empty() && seen.insert((entity.name.clone(), entity.r#type.clone()))
    });
    entities.take(LIST_ITEMS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(title: &str, url: &str, merchant: &str) -> Product {
        Product {
            title: title.to_owned(),
            url: url.to_owned(),
            merchant: merchant.to_owned(),
            ..Product::default()
        }
    }

    #[test]
    fn a_product_at_three_merchants_is_one() {
        let products = distinct_products(vec![
            product("Pump 3", "https://a.example/3", "A"),
            product("pump 3", "https://b.example/3", "B"),
            product("Pump 3", "https://c.example/3", "C"),
            product("Pump 3", "https://a.example/3", "A"),
            // It may be another colour: nothing says that it is the same product.
            product("Pump 3", "https://a.example/4", "A"),
            product("Pump 4", "", ""),
        ]);
        let merchants: Vec<_> = products.iter().map(|it| it.merchants.join(",")).collect();
        assert_eq!(merchants, ["A,B,C", "A", ""]);
        assert_eq!((products[0].merchant.as_str(), products[0].url.len()), ("A", 19));
    }

    #[test]
    fn a_card_that_only_holds_others_is_none() {
        let named = Product { asin: "B1".to_owned(), ..product("Unknown Product", "", "") };
        let products = distinct_products(vec![product("Unknown Product", "", "A"), named]);
        assert_eq!(products.len(), 1);
        assert_eq!((products[0].asin.as_str(), products[0].title.as_str()), ("B1", ""));
    }

    #[test]
    fn ads_and_entities_that_say_nothing_go() {
        let ad = |title: &str, url: &str| Ad {
            title: title.to_owned(),
            url: url.to_owned(),
            ..Ad::default()
        };
        let ads = vec![
            ad("Buy", "https://a.example/?utm_source=openai"),
            ad("Buy", "https://a.example/"),
            ad("", "javascript:x"),
            Ad { image: "x".to_owned(), ..ad("Only words", "") },
        ];
        let ads = distinct_ads(ads);
        assert_eq!(ads, [ad("Buy", "https://a.example/"), ad("Only words", "")]);
        let entity = |name: &str| Entity { name: name.to_owned(), ..Entity::default() };
        let entities = distinct_entities(vec![entity(" Acme"), entity(""), entity("Acme")]);
        assert_eq!(entities, [entity("Acme")]);
    }
}
