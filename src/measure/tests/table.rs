//! Texts and brands: each row is a fault that some tracker had in public, or a rule of a language.

use super::count;

struct Row {
    /// The fault or the rule.
    why: &'static str,
    /// The brand that is counted, and behind it others of its tracker.
    names: &'static [&'static str],
    text: &'static str,
    count: usize,
}

const fn row(
    why: &'static str,
    names: &'static [&'static str],
    text: &'static str,
    count: usize,
) -> Row {
    Row { why, names, text, count }
}

const TABLE: &[Row] = &[
    // Words.
    row("a whole word", &["Acme"], "Acme makes anvils, and Acme sells them.", 2),
    row("part of a word at its end (notra 1021)", &["Pace"], "Space is big.", 0),
    row("part of a word at its beginning (freehire 2371)", &["Java"], "JavaScript runs.", 0),
    row("part of a word in its middle", &["Cone"], "silicones", 0),
    row("a plural is another word", &["Acme"], "The Acmes met.", 0),
    row("a digit makes another word", &["Acme"], "Acme2 and 4Acme", 0),
    row("a digit behind a space does not", &["Acme"], "Acme 2 is out.", 1),
    row("an underscore joins (UAX #29, WB13a)", &["Acme"], "acme_cloud", 0),
    row("camel case is one word", &["Acme"], "AcmeCloud", 0),
    row("punctuation ends a word", &["Acme"], "(Acme), \"Acme\": Acme! Acme? Acme; Acme.", 6),
    row("a dash without spaces ends a word", &["Acme"], "Acme—the best—and Acme…", 2),
    row("a slash stands between names", &["Acme"], "Acme/Globex", 1),
    row("a hyphen stands between words", &["Acme"], "Acme-powered, non-Acme", 2),
    row("the possessive", &["Acme"], "Acme's anvils and ACME’S", 2),
    row("a handle names its brand", &["Acme"], "Follow @Acme, #acme.", 2),
    row("a name of several words", &["Blue Yonder"], "Blue Yonder and blue  yonder", 2),
    row("a no-break space is a space", &["Blue Yonder"], "Blue\u{a0}Yonder", 1),
    row("a new line ends a name", &["Blue Yonder"], "sky is Blue\nYonder it lies", 0),
    row("the words alone are no name", &["Blue Yonder"], "Blue sky over yonder", 0),
    row("a no-break hyphen, which engines write", &["Coca-Cola"], "Coca\u{2011}Cola", 1),
    row("either apostrophe", &["Levi's"], "Levi’s and Levi's", 2),
    row("a soft hyphen is not seen", &["Acme"], "Ac\u{ad}me", 1),
    row("nor is a zero-width joiner", &["Acme"], "Ac\u{200d}me", 1),
    row("nor a mark of direction", &["Acme"], "\u{200f}Acme\u{200e}", 1),
    row("a zero-width space ends a word", &["Acme"], "the\u{200b}Acme", 1),
    row("a sign of trade mark", &["Acme"], "Acme™ and Acme®", 2),
    row("an emoji", &["Acme"], "🚀Acme🚀", 1),
    row("a missing space after a full stop", &["Acme"], "It is good.Acme is too.", 1),
    // Case and short names.
    row("any case from four letters on", &["Acme"], "ACME acme aCmE", 3),
    row("LI matched 89 of 90 answers (Canonry 399)", &["LI"], "li Li LI family", 1),
    row("three letters keep their case", &["SAP"], "The sap rises; SAP sells.", 1),
    row("a short name in a hyphenated word", &["X"], "An X-ray, a Model-X", 0),
    row("a short name that stands alone", &["X"], "On X, formerly Twitter", 1),
    row("three letters in a German compound", &["SAP"], "SAP-System", 1),
    row("a short name in a name with an ampersand", &["T"], "AT&T", 0),
    row("the whole name with an ampersand", &["AT&T"], "AT&T's plan", 1),
    row("a short possessive", &["HP"], "HP's printers", 1),
    row("a short name with a plus", &["C"], "C++ and C# but C", 1),
    row("a name that ends in signs", &["C++"], "C++ is old, C++11 is not.", 2),
    row("a name with an exclamation mark", &["Yahoo!"], "Yahoo! and Yahoo", 1),
    row("a name that begins with a point", &[".NET"], "ASP.NET and .NET", 1),
    row("initials with points", &["S"], "the U.S. army", 0),
    row("a version is not its predecessor", &["GPT-4"], "GPT-4.5 and GPT-4.", 1),
    row("a number in a decimal", &["5G"], "1.5G of data over 5G", 1),
    // The longest name wins.
    row("a longer brand takes its place", &["Acme", "Acme Cloud"], "Acme Cloud, Acme", 1),
    row("unless it does not fit", &["Acme", "Acme Cloud"], "Acme Cloudy", 1),
    row("a longer brand of the same start", &["Coca", "Coca-Cola"], "Coca-Cola", 0),
    // Accents.
    row("accents of the text", &["Nestle"], "Nestlé", 1),
    row("accents of the name", &["Nestlé"], "NESTLE", 1),
    row("decomposed accents (Unicode, NFD)", &["Nestlé"], "Nestle\u{301}", 1),
    row("an accent does not end a word", &["Nestl"], "Nestle\u{301}", 0),
    row("strokes are folded too", &["Ørsted"], "Orsted", 1),
    row("German sharp s", &["Strauß"], "STRAUSS", 1),
    row("a ligature", &["Fitfiles"], "Fit\u{fb01}les", 1),
    row("Turkish dotted capital I", &["Istikbal"], "İstikbal", 1),
    row("Turkish suffixes take an apostrophe", &["Arçelik"], "Arçelik'in ürünleri", 1),
    row("Greek accents and final sigma", &["Κωτσόβολος"], "ΚΩΤΣΟΒΟΛΟΣ", 1),
    row("Cyrillic case", &["Яндекс"], "яндекс и ЯНДЕКС", 2),
    row("Cyrillic accents", &["Алёнка"], "Аленка", 1),
    row("a Cyrillic ending is another word", &["Яндекс"], "Яндексом", 0),
    row("a look-alike letter is no end", &["Acme"], "Acmeа", 0),
    row("a Japanese mark makes another letter (Canonry 1033)", &["カスト"], "ガスト", 0),
    row("and is one letter however written", &["ガスト"], "カ\u{3099}スト", 1),
    row("a Devanagari vowel belongs to the word", &["टाट"], "टाटा", 0),
    row("a word of Devanagari", &["टाटा"], "टाटा मोटर्स", 1),
    // Elisions.
    row("French elision", &["Oréal"], "l'Oréal", 1),
    row("Italian elision", &["Acme"], "dell'Acme", 1),
    row("an Irish name is no elision", &["Reilly"], "O'Reilly", 0),
    // Scripts without spaces between words.
    row("Chinese", &["索尼"], "我喜欢索尼相机", 1),
    row("Latin in Chinese", &["Acme"], "我用Acme的产品", 1),
    row("a digit in Chinese", &["3M"], "购买3M口罩", 1),
    row("Japanese, kanji", &["任天堂"], "任天堂は京都にある", 1),
    row("Japanese, katakana before a particle", &["ソニー"], "ソニーの製品", 1),
    row("part of a katakana word (UAX #29, WB13)", &["ニコ"], "ニコンのカメラ", 0),
    row("full-width letters", &["Acme"], "Ａｃｍｅは良い", 1),
    row("Thai", &["ปตท"], "บริษัทปตทในไทย", 1),
    row("Latin in Thai", &["Acme"], "ใช้Acmeดี", 1),
    row("Korean particle", &["삼성"], "삼성은 크다. 삼성의", 2),
    row("a Korean compound is another name", &["삼성"], "삼성전자", 0),
    row("a Korean syllable is one letter", &["사성"], "삼성", 0),
    row("a particle behind Latin", &["Acme"], "Acme는 좋다", 1),
    // Prefixes.
    row("Arabic conjunction", &["سامسونج"], "وسامسونج", 1),
    row("Arabic preposition with article", &["سامسونج"], "بالسامسونج", 1),
    row("part of an Arabic word", &["سامسونج"], "سامسونجية", 0),
    row("an Arabic stroke is not seen", &["سامسونج"], "سامـــسونج", 1),
    row("Hebrew preposition", &["טבע"], "בטבע ולטבע", 2),
    row("Hebrew prefix with a hyphen", &["Acme"], "ב-Acme וAcme", 2),
    row("part of a Hebrew word", &["טבע"], "קטבע", 0),
    // Addresses.
    row("Acme inside acme.com (ansvisor)", &["Acme"], "See acme.com for more.", 0),
    row("a subdomain", &["Acme"], "docs.acme.co.uk, acme.example.com", 0),
    row("a URL", &["Acme"], "https://globex.com/acme/Acme?q=acme", 0),
    row("a URL with brackets", &["Acme"], "https://en.wikipedia.org/wiki/X_(Acme) Acme", 1),
    row("a URL without a scheme", &["Acme"], "www.globex.com/acme or globex.com/Acme", 0),
    row("an e-mail address", &["Acme"], "acme@globex.com, info@acme.com", 0),
    row("a domain in Chinese", &["Acme"], "请访问acme.com了解", 0),
    row("a brand that is a domain", &["Booking.com"], "Booking.com is large.", 1),
    row("but not in an address", &["Booking.com"], "https://booking.com/x booking.com/y", 0),
    row("nor in e-mail", &["Booking.com"], "help@booking.com", 0),
    row("a file or a module is no domain", &["Node.js"], "Node.js runs.", 1),
    row("a capital ending is a missing space", &["Acme"], "We use Acme.It is good.", 1),
];

#[test]
fn every_row_counts_as_it_says() {
    assert!(TABLE.len() >= 80, "{}", TABLE.len());
    let wrong: Vec<String> = TABLE
        .iter()
        .filter_map(|row| {
            let counted = count(row.text, row.names);
            let is_wrong = counted != row.count;
            is_wrong.then(|| format!("{}: {:?} in {:?}: {counted}", row.why, row.names, row.text))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rows_are_named_once() {
    for (at, row) in TABLE.iter().enumerate() {
        assert!(TABLE[..at].iter().all(|earlier| earlier.why != row.why), "{}", row.why);
    }
}
