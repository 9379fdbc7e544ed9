//! Currencies: the signs and codes that shops write, and which separator divides thousands in each.

/// A currency as a price names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Currency {
    /// The code of ISO 4217; `None` for a sign that several currencies share.
    pub code: Option<&'static str>,
    pub grouping: Grouping,
}

/// The separator of thousands, where it is the only one and has three digits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    Comma,
    Point,
    /// A point, and a comma where the sign stands first.
    PointOrLeadingComma,
    /// Both are written, or cents have three digits.
    Unsure,
}

use Grouping::{Comma, Point, PointOrLeadingComma, Unsure};

/// Codes of ISO 4217, each with the signs that name this currency alone.
const CURRENCIES: &[(&str, Grouping, &[&str])] = &[
    ("AED", Comma, &["د.إ", "DH", "Dhs"]),
    ("ARS", Point, &["AR$"]),
    ("AUD", Comma, &["A$", "AU$", "AU $"]),
    ("BDT", Comma, &["৳"]),
    ("BGN", Unsure, &["лв", "лв."]),
    ("BHD", Unsure, &[]),
    ("BRL", Point, &["R$"]),
    ("CAD", Comma, &["C$", "CA$", "C $"]),
    ("CHF", Unsure, &["Fr.", "SFr."]),
    ("CLP", Point, &["CLP$", "CLP $"]),
    ("CNY", Comma, &["元", "RMB", "CN¥"]),
    ("COP", Point, &["COL$", "COP$", "COP $"]),
    ("CZK", Point, &["Kč"]),
    ("DKK", Point, &[]),
    ("EGP", Comma, &["ج.م", "E£", "LE"]),
    ("EUR", PointOrLeadingComma, &["€"]),
    ("GBP", Comma, &["£"]),
    ("HKD", Comma, &["HK$"]),
    ("HUF", Point, &["Ft"]),
    ("IDR", Point, &["Rp", "Rp."]),
    ("ILS", Comma, &["₪"]),
    ("INR", Comma, &["₹"]),
    ("IQD", Unsure, &[]),
    ("ISK", Point, &[]),
    ("JOD", Unsure, &[]),
    ("JPY", Comma, &["円", "JP¥"]),
    ("KES", Comma, &["KSh"]),
    ("KRW", Comma, &["₩", "원"]),
    ("KWD", Unsure, &["د.ك"]),
    ("KZT", Unsure, &["₸"]),
    ("MAD", Unsure, &[]),
    ("MXN", Comma, &["MX$", "Mex$"]),
    ("MYR", Comma, &["RM"]),
    ("NGN", Comma, &["₦"]),
    ("NOK", Point, &[]),
    ("NZD", Comma, &["NZ$"]),
    ("OMR", Unsure, &["ر.ع."]),
    ("PEN", Comma, &["S/", "S/."]),
    ("PHP", Comma, &["₱"]),
    ("PKR", Comma, &[]),
    ("PLN", Point, &["zł"]),
    ("QAR", Comma, &[]),
    ("RON", Point, &["lei"]),
    ("RSD", Point, &[]),
    ("RUB", Unsure, &["₽", "руб", "руб."]),
    ("SAR", Comma, &["ر.س", "SR"]),
    ("SEK", Point, &[]),
    ("SGD", Comma, &["S$"]),
    ("THB", Comma, &["฿", "บาท"]),
    ("TND", Unsure, &["د.ت"]),
    ("TRY", Point, &["₺", "TL"]),
    ("TWD", Comma, &["NT$", "NT $"]),
    ("UAH", Unsure, &["₴", "грн", "грн."]),
    ("USD", Comma, &["US$", "US $", "U$S"]),
    ("VND", Point, &["₫", "đ"]),
    ("ZAR", Comma, &[]),
];

/// Signs that several currencies share. Pesos divide thousands by a point, dollars by a comma; a
/// comma before three digits is in neither the start of the cents.
const SHARED: &[(&str, Grouping)] = &[
    ("$", Comma),
    ("¥", Comma),
    ("￥", Comma),
    ("kr", Point),
    ("kr.", Point),
    ("Rs", Comma),
    ("Rs.", Comma),
    ("R", Comma),
    ("﷼", Unsure),
    ("₨", Comma),
];

/// Returns the currency that stands on one side of a number: a code or a sign, or both, `$ USD`.
pub(super) fn by_sign(sign: &str) -> Option<Currency> {
    let whole = CURRENCIES.iter().find(|(code, _, signs)| *code == sign || signs.contains(&sign));
    if let Some((code, grouping, _)) = whole {
        return Some(Currency { code: Some(code), grouping: *grouping });
    }
    if let Some((_, grouping)) = SHARED.iter().find(|(known, _)| *known == sign) {
        return Some(Currency { code: None, grouping: *grouping });
    }
    let (first, second) = sign.split_once(' ')?;
    let (first, second) = (by_sign(first)?, by_sign(second.trim_start())?);
    match (first.code, second.code) {
        (Some(one), Some(other)) if one != other => None,
        (Some(_), Some(_) | None) => Some(first),
        (None, Some(_) | None) => Some(second),
    }
}
