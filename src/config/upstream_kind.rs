//! The kinds of upstreams: a row for each says what it is called and what can be set for it.

/// What an upstream of a kind takes, and what requests to it can do.
struct Traits {
    /// Whether a call is impossible without a key.
    needs_key: bool,
    /// The settings without which there is nothing to call.
    needs: &'static [&'static str],
    /// Whether a request has a body of JSON.
    has_body: bool,
    /// Whether a request can name a model.
    has_models: bool,
    /// Whether a request can make the model search.
    can_force_search: bool,
    /// The values that `model` may have, where it names one of a vendor's engines.
    engines: &'static [&'static str],
}

/// Something that answers in the service or in a browser here.
const LOCAL: Traits = Traits {
    needs_key: false,
    needs: &[],
    has_body: false,
    has_models: false,
    can_force_search: false,
    engines: &[],
};
/// The API of a model's provider.
const MODEL_API: Traits = Traits { needs_key: true, has_body: true, has_models: true, ..LOCAL };
/// The same where a search can be forced.
const SEARCHING_API: Traits = Traits { can_force_search: true, ..MODEL_API };
/// A service that scrapes, asked with a query.
const VENDOR: Traits = Traits { needs_key: true, ..LOCAL };
/// A service that scrapes, asked with a body.
const VENDOR_BODY: Traits = Traits { has_body: true, ..VENDOR };

macro_rules! upstream_kinds {
    ($($(#[$doc:meta])* $kind:ident, $word:literal, $traits:expr;)*) => {
        /// The API that an upstream speaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum UpstreamKind {
            $($(#[$doc])* $kind,)*
        }

        impl UpstreamKind {
            /// All, in the order in which sentences list them.
            pub const ALL: &[UpstreamKind] = &[$(UpstreamKind::$kind,)*];

            /// Returns the word that `kind` in a settings file names it by.
            pub const fn word(self) -> &'static str {
                match self {
                    $(UpstreamKind::$kind => $word,)*
                }
            }

            const fn traits(self) -> &'static Traits {
                match self {
                    $(UpstreamKind::$kind => const { &$traits },)*
                }
            }
        }
    };
}

upstream_kinds! {
    Openai, "openai", SEARCHING_API;
    Perplexity, "perplexity", SEARCHING_API;
    Gemini, "gemini", MODEL_API;
    Xai, "xai", SEARCHING_API;
    Anthropic, "anthropic", SEARCHING_API;
    Mistral, "mistral", MODEL_API;
    Compatible, "compatible", Traits {
        needs_key: false,
        needs: &["base_url", "model"],
        ..MODEL_API
    };
    Searchapi, "searchapi", Traits {
        engines: &[
            "chatgpt",
            "perplexity",
            "gemini",
            "bing_copilot",
            "google_ai_mode",
            "google_ai_overview",
        ],
        ..VENDOR
    };
    Serpapi, "serpapi", Traits {
        engines: &["google_ai_mode", "google_ai_overview", "bing_copilot"],
        ..VENDOR
    };
    Dataforseo, "dataforseo", Traits {
        engines: &[
            "google_ai_mode",
            "ai_mode",
            "google_ai_overview",
            "chatgpt",
            "chat_gpt",
            "gemini",
        ],
        ..VENDOR_BODY
    };
    Cloro, "cloro", Traits {
        engines: &[
            "chatgpt",
            "perplexity",
            "copilot",
            "gemini",
            "grok",
            "google_ai_mode",
            "google_ai_overview",
        ],
        ..VENDOR_BODY
    };
    Brightdata, "brightdata", Traits {
        engines: &["chatgpt", "perplexity", "copilot", "gemini", "grok", "google_ai_mode"],
        ..VENDOR_BODY
    };
    Oxylabs, "oxylabs", Traits {
        engines: &["chatgpt", "perplexity", "gemini", "google_ai_mode"],
        ..VENDOR_BODY
    };
    Scrapeless, "scrapeless", Traits {
        engines: &[
            "chatgpt",
            "perplexity",
            "copilot",
            "gemini",
            "grok",
            "google_ai_mode",
            "meta_ai",
            "amazon_rufus",
        ],
        ..VENDOR_BODY
    };
    /// Any service that speaks this very API.
    Scrapellm, "scrapellm", Traits { needs: &["base_url"], ..LOCAL };
    Browser, "browser", Traits { needs: &["recipe"], ..LOCAL };
    Practice, "practice", Traits { has_models: true, ..LOCAL };
}

/// Another word for a kind: a service with this very API may be an answerd.
const ALIAS: &str = "answerd";

impl UpstreamKind {
    /// Returns the kind that a word of `kind` names.
    pub fn named(word: &str) -> Option<UpstreamKind> {
        if word == ALIAS {
            return Some(UpstreamKind::Scrapellm);
        }
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// Returns the values that `model` may have, where it names one of a vendor's engines; none
    /// where it is the provider's to know its models.
    pub const fn engines(self) -> &'static [&'static str] {
        self.traits().engines
    }

    /// Returns whether a call is impossible without a key.
    pub const fn needs_key(self) -> bool {
        self.traits().needs_key
    }

    /// Returns the settings without which there is nothing to call.
    pub const fn needs(self) -> &'static [&'static str] {
        self.traits().needs
    }

    /// Returns whether a request has a body of JSON.
    pub const fn has_body(self) -> bool {
        self.traits().has_body
    }

    /// Returns whether a request can name a model. What `model` names elsewhere is an engine, which
    /// a scraper is made for; a page has its own.
    pub const fn has_models(self) -> bool {
        self.traits().has_models
    }

    /// Returns whether a request can make the model search.
    pub const fn can_force_search(self) -> bool {
        self.traits().can_force_search
    }
}
