use proptest::prelude::*;

use super::super::{Brand, Rate, TrackedBrands};
use super::{brands, count};

proptest! {
    /// No text makes it panic, and what is found stands in the text, in order.
    #[test]
    fn any_text_is_read(text in "\\PC*|(\\s|[a-z.@/:]|Acme|acme\\.com|é|ー|삼성|و)*", name in "\\PC{1,12}") {
        let brand = Brand { name, aliases: vec!["Acme".to_owned()], ..Brand::default() };
        if let Ok(brands) = TrackedBrands::new(vec![brand]) {
            let mut end = 0;
            for found in brands.matcher().find(&text) {
                prop_assert!(text.get(found.range.clone()).is_some());
                prop_assert!(found.range.start >= end && found.range.end > found.range.start);
                end = found.range.end;
            }
        }
    }

    /// What stands beyond the next line changes nothing.
    #[test]
    fn mentions_do_not_depend_on_other_lines(before in "\\PC*", after in "\\PC*", times in 0_usize..4) {
        let line = "We like Acme, they say. ".repeat(times);
        let alone = count(&before, &["Acme"]) + count(&line, &["Acme"]) + count(&after, &["Acme"]);
        prop_assert_eq!(count(&format!("{before}\n{line}\n{after}"), &["Acme"]), alone);
        prop_assert_eq!(count(&line, &["Acme"]), times);
    }

    /// A name is found in the middle of words of its own script only where it is a word.
    #[test]
    fn letters_around_a_name_hide_it(before in "[a-zà-öø-ÿ]{0,3}", after in "[a-zà-öø-ÿ]{0,3}") {
        let expected = usize::from(before.is_empty() && after.is_empty());
        prop_assert_eq!(count(&format!("{before}globex{after}"), &["Globex"]), expected);
    }

    /// Both forms of Unicode are one.
    #[test]
    fn composed_and_decomposed_count_alike(text in "(Nestlé|Škoda|é|カ\u{3099}|각|[ a-z])*") {
        use unicode_normalization::UnicodeNormalization;
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        for name in ["Nestlé", "Škoda", "ガガ"] {
            prop_assert_eq!(count(&composed, &[name]), count(&decomposed, &[name]));
        }
    }

    /// The interval holds the share, and narrows with more answers of the same share.
    #[test]
    fn the_interval_holds_the_share(hits in 0_u64..500, more in 0_u64..500) {
        let rate = Rate { hits, total: hits + more };
        let Some((low, high)) = rate.interval() else {
            prop_assert_eq!(rate.total, 0);
            return Ok(());
        };
        let share = rate.value().unwrap();
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
        let (low_of_ten, high_of_ten) =
            Rate { hits: 10 * hits, total: 10 * rate.total }.interval().unwrap();
        prop_assert!(high_of_ten - low_of_ten < high - low);
    }
}

#[test]
fn intervals_equal_published_ones() {
    // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    for (hits, total, low, high) in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ] {
        let (found_low, found_high) = Rate { hits, total }.interval().unwrap();
        assert!((found_low - low).abs() < 0.0001, "{hits} of {total}: {found_low}");
        assert!((found_high - high).abs() < 0.0001, "{hits} of {total}: {found_high}");
    }
    assert_eq!(Rate { hits: 0, total: 0 }.value(), None);
}

#[test]
fn long_texts_take_time_in_proportion() {
    let brands = brands(&["Acme", "Acme Cloud", "Booking.com", "索尼"]);
    let text = "acme Acme acme.com/x 索尼 a.b.c.d@e.f ".repeat(20_000);
    let found = brands.matcher().find(&text);
    assert_eq!(found.len(), 60_000);
}
