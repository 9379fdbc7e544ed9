//! The user guide: its pages, built into the binary, and the sections they are made of.

use super::sections::{Section, sections};

/// Names the groups and their pages once; each page is `src/docs/NAME.md`.
macro_rules! pages {
    ($($group:literal: $($slug:literal),*;)*) => {
        /// The groups of pages, (name, slugs), as the sidebar has them.
        pub const GROUPS: &[(&str, &[&str])] = &[$(($group, &[$($slug),*])),*];

        /// The pages, (slug, Markdown), in reading order.
        pub const PAGES: &[(&str, &str)] =
            &[$($(($slug, include_str!(concat!("../docs/", $slug, ".md"))),)*)*];
    };
}

// A page that is new in `src/docs` is added here.
pages! {
    "Start": "quick-start", "concepts", "dashboard", "command-line", "migrating", "faq";
    "Use": "api", "parameters", "places", "clients", "integrations", "mcp", "batches", "results",
        "raw-replies", "webhooks", "errors-and-retries";
    "Measure": "schedules", "tracking", "alerts", "trust", "export";
    "Engines": "scrapers", "upstreams", "costs", "recipes", "practice", "terms";
    "Operate": "configuration", "storage", "running", "scale-out", "monitoring", "security",
        "threat-model", "limits", "performance", "how-it-works";
}

/// Names the files once; each is `src/docs/PATH`.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        /// Files that the pages offer, (path, text): `src/docs/PATH`, at `/docs/PATH`.
        pub const FILES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../docs/", $path)))),*];
    };
}

files! {
    "assets/alerts.yaml",
    "assets/grafana.json",
    "assets/trial.sh",
    "clients/answerd.py",
    "clients/answerd.ts",
    "clients/answerd_langchain.py",
    "clients/n8n.json",
}

/// A page of the guide.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its name in addresses: `/docs/{slug}`.
    pub slug: &'static str,
    /// Its first heading.
    pub title: String,
    /// Its first sentence, as plain text; empty when it begins with another heading.
    pub summary: String,
}

/// The pages and, in reading order, all their sections.
#[derive(Clone, Debug)]
pub struct Guide {
    pub pages: Vec<Page>,
    pub sections: Vec<Section>,
}

impl Guide {
    /// Reads pages, each (slug, Markdown).
    pub fn of(texts: &[(&'static str, &str)]) -> Guide {
        let mut guide = Guide { pages: Vec::new(), sections: Vec::new() };
        for (page, (slug, text)) in texts.iter().enumerate() {
            let sections = sections(text, page, slug);
            let first = sections.first();
            guide.pages.push(Page {
                slug,
                title: first.map_or_else(|| (*slug).to_owned(), |first| first.heading.clone()),
                summary: first
                    .and_then(|first| first.passages.first())
                    .map(|passage| passage.text.clone())
                    .unwrap_or_default(),
            });
            guide.sections.extend(sections);
        }
        guide
    }
}

#[cfg(test)]
mod tests {
    use super::super::sections::FOLDERS;
    use super::*;

    /// The names in a directory below the crate's, sorted.
    fn names_in(directory: &str) -> Vec<String> {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn everything_in_the_directory_is_built_in() {
        let mut listed: Vec<String> = PAGES.iter().map(|(slug, _)| format!("{slug}.md")).collect();
        listed.extend(FOLDERS.map(str::to_owned));
        listed.sort();
        assert_eq!(names_in("src/docs"), listed);
        let listed: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        let found = FOLDERS.into_iter().flat_map(|folder| {
            let names = names_in(&format!("src/docs/{folder}"));
            names.into_iter().map(move |name| format!("{folder}/{name}"))
        });
        assert_eq!(found.collect::<Vec<String>>(), listed);
    }

    #[test]
    fn every_page_begins_with_its_title() {
        for (slug, text) in PAGES {
            assert!(text.starts_with("# "), "{slug} does not begin with a `# ` heading");
        }
        for page in Guide::of(PAGES).pages {
            assert!(!page.title.is_empty() && !page.summary.is_empty(), "{}", page.slug);
        }
    }

    #[test]
    fn links_between_pages_lead_to_sections_that_exist() {
        let guide = Guide::of(PAGES);
        let files = FILES.iter().map(|(path, _)| format!("/docs/{path}"));
        let known: Vec<String> = guide
            .sections
            .iter()
            .map(|section| format!("/docs/{}#{}", guide.pages[section.page].slug, section.anchor))
            .chain(files)
            .collect();
        for passage in guide.sections.iter().flat_map(|section| &section.passages) {
            for target in passage.markdown.split("](/docs/").skip(1) {
                let target = format!("/docs/{}", target.split(')').next().unwrap());
                let found = known.iter().any(|known| {
                    *known == target || known.split('#').next() == Some(target.as_str())
                });
                assert!(found, "{target} in: {}", passage.markdown);
            }
        }
    }
}
