//! Words that are names of brands and words of a language: in most texts they are the latter.

/// Words that stand in nearly every text: a brand of this name is counted everywhere.
const EVERYWHERE: [&str; 64] = [
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "but", "by", "can", "do",
    "for", "from", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "me",
    "more", "my", "no", "not", "of", "on", "one", "or", "our", "out", "she", "so", "some", "that",
    "the", "their", "them", "they", "this", "to", "up", "us", "use", "was", "we", "what", "which",
    "who", "will", "with", "you", "your", "der", "die", "le", "la",
];

/// Words that often mean something else than the brand.
const OFTEN: [&str; 72] = [
    "access", "alphabet", "amazon", "apple", "arc", "asana", "best", "block", "bolt", "box",
    "bridge", "bubble", "chase", "clay", "close", "coach", "copper", "craft", "cursor", "dell",
    "discover", "dove", "drift", "flow", "folk", "front", "galaxy", "gap", "glean", "guess", "jet",
    "linear", "loom", "mercury", "meta", "monday", "mint", "nest", "north", "notion", "office",
    "oracle", "orange", "outlook", "polaroid", "puma", "ramp", "render", "rippling", "segment",
    "shell", "signal", "slack", "sprint", "square", "stripe", "subway", "sun", "swift", "target",
    "teams", "tide", "total", "uber", "unity", "vanguard", "virgin", "visa", "wave", "wise",
    "word", "zoom",
];

/// Extent to which a name is a word of a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commonness {
    Rare,
    Often,
    Everywhere,
}

impl Commonness {
    /// Returns that of a folded name.
    pub(crate) fn of(name: &str) -> Commonness {
        if EVERYWHERE.contains(&name) {
            Commonness::Everywhere
        } else if OFTEN.contains(&name) {
            Commonness::Often
        } else {
            Commonness::Rare
        }
    }
}
