use super::*;

fn price(raw: &str) -> (Option<String>, Option<&'static str>) {
    let Amount { amount, currency } = read(raw);
    (amount, currency)
}

#[test]
fn prices_of_twelve_locales_are_read() {
    for (locale, raw, amount, currency) in [
        ("en-US", "US$1,299.00", "1299.00", Some("USD")),
        ("en-GB", "£1,299.99", "1299.99", Some("GBP")),
        ("en-IE", "€1,299", "1299", Some("EUR")),
        ("de-DE", "1.299 €", "1299", Some("EUR")),
        ("de-DE", "1.299,–\u{a0}€", "1299", Some("EUR")),
        ("de-AT", "€ 1.299,00", "1299.00", Some("EUR")),
        ("de-CH", "CHF 1’299.95", "1299.95", Some("CHF")),
        ("fr-FR", "1\u{202f}299,00\u{a0}€", "1299.00", Some("EUR")),
        ("tr-TR", "₺2.699,99", "2699.99", Some("TRY")),
        ("tr-TR", "2.699,99 TL", "2699.99", Some("TRY")),
        ("ja-JP", "12,800円", "12800", Some("JPY")),
        ("ja-JP", "¥12,800", "12800", None),
        ("pt-BR", "R$\u{a0}1.234,56", "1234.56", Some("BRL")),
        ("en-IN", "₹1,23,456.00", "123456.00", Some("INR")),
        ("en-IN", "₹12,34,567", "1234567", Some("INR")),
        ("sv-SE", "1 299:-", "1299", None),
        ("sv-SE", "1 299,50 kr", "1299.50", None),
        ("nb-NO", "kr 129,-", "129", None),
        ("pl-PL", "1299,00 zł", "1299.00", Some("PLN")),
        ("ko-KR", "₩1,299,000", "1299000", Some("KRW")),
        ("ar-SA", "\u{200f}١٬٢٩٩٫٩٩ ر.س", "1299.99", Some("SAR")),
        ("fa-IR", "۱۲۹۹ ﷼", "1299", None),
        ("vi-VN", "12.990.000₫", "12990000", Some("VND")),
        ("zh-CN", "１２９９元", "1299", Some("CNY")),
    ] {
        let expected = Some(amount.to_owned()).filter(|amount| !amount.is_empty());
        assert_eq!(price(raw), (expected, currency), "{locale}: {raw}");
    }
}

#[test]
fn plain_numbers_are_read() {
    for (raw, amount) in [
        ("19.99", Some("19.99")),
        ("19,99", Some("19.99")),
        ("$19.5", Some("19.5")),
        ("0,99 €", Some("0.99")),
        ("0.999", Some("0.999")),
        ("1299.000", Some("1299.000")),
        ("KWD 1,299.500", Some("1299.500")),
        ("1299", Some("1299")),
        ("$0", Some("0")),
        ("$1,299.00 USD", Some("1299.00")),
        ("1.299 EUR", Some("1299")),
        ("CLP $1.299", Some("1299")),
    ] {
        assert_eq!(price(raw).0.as_deref(), amount, "{raw}");
    }
}

#[test]
fn a_price_that_could_mean_two_amounts_has_none() {
    for raw in [
        // A thousand and more, or one and a bit.
        "1.299",
        "1,299",
        "$1.299",
        "£1.299",
        "1,299 €",
        "KWD 1.299",
        "CHF 1.299",
        "1.299 ₽",
        // Ranges and bounds.
        "$10 – $20",
        "10-20 €",
        "10,00 € - 20,00 €",
        "$10.00 to $20.00",
        "ab 19,99 €",
        "From $10",
        "up to $5",
        // More than the price, or another thing.
        "$19.99/mo",
        "1.459 €/l",
        "2 for $5",
        "$19.99 $29.99",
        "19,99 € inkl. MwSt.",
        "-5 €",
        "20%",
        "1万2800円",
        "$19⁹⁹",
        "Free",
        "",
        "$",
        // Broken numbers.
        "1,29,99",
        "1.29.999",
        "12.34,56.78",
        "1 29 €",
        "1 299 99",
        "1.2999 €",
        "0.1.299",
        "1234567890123456",
        "12,34,56",
        "€ 12 USD",
    ] {
        assert_eq!(price(raw).0, None, "{raw}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_read_is_a_decimal(raw in "[0-9.,' $€k円\\-٫٬٣]{0,20}") {
        if let Some(amount) = price(&raw).0 {
            let digits = amount.bytes().filter(u8::is_ascii_digit).count();
            let points = amount.bytes().filter(|byte| *byte == b'.').count();
            proptest::prop_assert!(digits >= 1 && points <= 1 && digits + points == amount.len());
            proptest::prop_assert!(amount.parse::<f64>().is_ok());
        }
    }
}
