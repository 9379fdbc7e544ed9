//! Trackers, observations and their sums as stored on disk.

use bincode::{Decode, Encode};

use super::super::StoreError;
use super::{seal, unseal};
use crate::measure::{
    AnswerCounts, Brand, BrandCount, BrandSums, DomainSums, GroupSums, PageSums, PromptSums,
    TrackedBrands, Tracker, TrackerVersion,
};

#[derive(Encode, Decode)]
struct TrackerV1 {
    id: u64,
    version: u32,
    created_ms: u64,
    changed_ms: u64,
    brands: Vec<BrandV1>,
}

#[derive(Encode, Decode)]
struct VersionV1 {
    changed_ms: u64,
    brands: Vec<BrandV1>,
}

#[derive(Encode, Decode)]
struct BrandV1 {
    name: String,
    aliases: Vec<String>,
    domains: Vec<String>,
    own: bool,
    case_sensitive: Option<bool>,
}

/// An observation, apart from what its key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservationRecord {
    /// The job's id.
    pub job: u128,
    /// The scraper's number.
    pub scraper: u16,
    pub country: String,
    /// Empty where the job has none.
    pub label: String,
    pub kind_bit: u8,
    pub prompt_hash: u32,
    pub counts: AnswerCounts,
}

#[derive(Encode, Decode)]
struct ObservationV1<S> {
    job: u128,
    scraper: u16,
    country: S,
    label: S,
    kind_bit: u8,
    prompt_hash: u32,
    flags: u8,
    /// The brand, how often it is named, its rank, and flags.
    brands: Vec<(u8, u32, u32, u8)>,
}

const BRANDED: u8 = 1;
const ABSENT: u8 = 2;
const SEARCH_TOLD: u8 = 4;
const SEARCHED: u8 = 8;
const CITABLE: u8 = 16;
const IN_LIST_ITEM: u8 = 1;
const CITED: u8 = 2;
const LINKED: u8 = 4;

#[derive(Encode, Decode)]
struct SumsV1<S> {
    /// Answers, absent, searched, unsearched, citable.
    answers: [u64; 5],
    kinds: u8,
    brands: Vec<[u64; 5]>,
    own: [u64; 5],
    domains: Vec<(S, u64, u64)>,
    more_domains: u64,
    prompts: Vec<(u32, u64, Vec<u64>)>,
}

#[derive(Encode, Decode)]
struct PageSumsV1<S> {
    pages: Vec<(S, u64, u64)>,
    more: u64,
}

/// Encodes a tracker with its latest version.
pub(crate) fn encode_tracker(tracker: &Tracker) -> Result<Vec<u8>, StoreError> {
    let Tracker { name: _, id, version, created_ms, changed_ms, brands } = tracker;
    let disk = TrackerV1 {
        id: *id,
        version: *version,
        created_ms: *created_ms,
        changed_ms: *changed_ms,
        brands: to_disk(brands),
    };
    seal(0, &disk)
}

/// Decodes a tracker of this name.
pub(crate) fn decode_tracker(name: &str, bytes: &[u8]) -> Result<Tracker, StoreError> {
    let TrackerV1 { id, version, created_ms, changed_ms, brands } = unseal(0, bytes)?;
    let brands = from_disk(brands);
    Ok(Tracker { name: name.to_owned(), id, version, created_ms, changed_ms, brands })
}

/// Encodes a version of the tracker with this id.
pub(crate) fn encode_tracker_version(
    id: u64,
    version: &TrackerVersion,
) -> Result<Vec<u8>, StoreError> {
    let TrackerVersion { version: _, changed_ms, brands } = version;
    seal(id, &VersionV1 { changed_ms: *changed_ms, brands: to_disk(brands) })
}

/// Decodes a version of the tracker with this id.
pub(crate) fn decode_tracker_version(
    id: u64,
    version: u32,
    bytes: &[u8],
) -> Result<TrackerVersion, StoreError> {
    let VersionV1 { changed_ms, brands } = unseal(id, bytes)?;
    Ok(TrackerVersion { version, changed_ms, brands: from_disk(brands) })
}

fn to_disk(brands: &TrackedBrands) -> Vec<BrandV1> {
    let brand = |brand: &Brand| BrandV1 {
        name: brand.name.clone(),
        aliases: brand.aliases.clone(),
        domains: brand.domains.clone(),
        own: brand.own,
        case_sensitive: brand.case_sensitive,
    };
    brands.brands().iter().map(brand).collect()
}

fn from_disk(brands: Vec<BrandV1>) -> TrackedBrands {
    let brand = |disk: BrandV1| Brand {
        name: disk.name,
        aliases: disk.aliases,
        domains: disk.domains,
        own: disk.own,
        case_sensitive: disk.case_sensitive,
    };
    TrackedBrands::stored(brands.into_iter().map(brand).collect())
}

/// Encodes an observation of the job in a row.
pub(crate) fn encode_observation(
    row: u64,
    record: &ObservationRecord,
) -> Result<Vec<u8>, StoreError> {
    let counts = &record.counts;
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let brand = |it: &BrandCount| {
        let flags = flag(it.in_list_item, IN_LIST_ITEM) | flag(it.cited, CITED);
        (it.brand, it.count, it.rank, flags | flag(it.linked, LINKED))
    };
    let disk = ObservationV1 {
        job: record.job,
        scraper: record.scraper,
        country: record.country.as_str(),
        label: record.label.as_str(),
        kind_bit: record.kind_bit,
        prompt_hash: record.prompt_hash,
        flags: flag(counts.branded, BRANDED)
            | flag(counts.absent, ABSENT)
            | flag(counts.searched.is_some(), SEARCH_TOLD)
            | flag(counts.searched == Some(true), SEARCHED)
            | flag(counts.citable, CITABLE),
        brands: counts.brands.iter().map(brand).collect(),
    };
    seal(row, &disk)
}

/// Decodes an observation of the job in a row.
pub(crate) fn decode_observation(row: u64, bytes: &[u8]) -> Result<ObservationRecord, StoreError> {
    let disk: ObservationV1<String> = unseal(row, bytes)?;
    let has = |flag: u8| disk.flags & flag != 0;
    let brand = |(brand, count, rank, flags): (u8, u32, u32, u8)| BrandCount {
        brand,
        count,
        rank,
        in_list_item: flags & IN_LIST_ITEM != 0,
        cited: flags & CITED != 0,
        linked: flags & LINKED != 0,
    };
    Ok(ObservationRecord {
        job: disk.job,
        scraper: disk.scraper,
        country: disk.country,
        label: disk.label,
        kind_bit: disk.kind_bit,
        prompt_hash: disk.prompt_hash,
        counts: AnswerCounts {
            branded: disk.flags & BRANDED != 0,
            absent: has(ABSENT),
            searched: has(SEARCH_TOLD).then(|| has(SEARCHED)),
            citable: has(CITABLE),
            brands: disk.brands.into_iter().map(brand).collect(),
        },
    })
}

/// Encodes the sums of a day (days since 1970-01-01) and group.
pub(crate) fn encode_sums(day: u32, sums: &GroupSums) -> Result<Vec<u8>, StoreError> {
    let domain =
        |(domain, sums): (&'_ String, &DomainSums)| (domain.clone(), sums.used, sums.cited);
    let prompt = |(hash, sums): (&u32, &PromptSums)| (*hash, sums.measured, sums.mentioned.clone());
    let disk = SumsV1 {
        answers: [sums.answers, sums.absent, sums.searched, sums.unsearched, sums.citable],
        kinds: sums.kinds,
        brands: sums.brands.iter().map(|sums| brand_to_disk(*sums)).collect(),
        own: brand_to_disk(sums.own),
        domains: sums.domains.iter().map(domain).collect(),
        more_domains: sums.more_domains,
        prompts: sums.prompts.iter().map(prompt).collect(),
    };
    seal(u64::from(day), &disk)
}

/// Decodes the sums of a day and group.
pub(crate) fn decode_sums(day: u32, bytes: &[u8]) -> Result<GroupSums, StoreError> {
    let disk: SumsV1<String> = unseal(u64::from(day), bytes)?;
    let [answers, absent, searched, unsearched, citable] = disk.answers;
    let domain = |(domain, used, cited)| (domain, DomainSums { used, cited });
    let prompt = |(hash, measured, mentioned)| (hash, PromptSums { measured, mentioned });
    Ok(GroupSums {
        answers,
        absent,
        searched,
        unsearched,
        citable,
        kinds: disk.kinds,
        brands: disk.brands.into_iter().map(brand_from_disk).collect(),
        own: brand_from_disk(disk.own),
        domains: disk.domains.into_iter().map(domain).collect(),
        more_domains: disk.more_domains,
        prompts: disk.prompts.into_iter().map(prompt).collect(),
    })
}

/// Encodes the pages of a day (days since 1970-01-01) and group.
pub(crate) fn encode_page_sums(day: u32, sums: &PageSums) -> Result<Vec<u8>, StoreError> {
    let page = |(url, sums): (&String, &DomainSums)| (url.clone(), sums.used, sums.cited);
    let disk = PageSumsV1 { pages: sums.pages.iter().map(page).collect(), more: sums.more };
    seal(u64::from(day), &disk)
}

/// Decodes the pages of a day and group.
pub(crate) fn decode_page_sums(day: u32, bytes: &[u8]) -> Result<PageSums, StoreError> {
    let disk: PageSumsV1<String> = unseal(u64::from(day), bytes)?;
    let page = |(url, used, cited)| (url, DomainSums { used, cited });
    Ok(PageSums { pages: disk.pages.into_iter().map(page).collect(), more: disk.more })
}

fn brand_to_disk(sums: BrandSums) -> [u64; 5] {
    let BrandSums { mentioned, ranks, listed, cited, linked } = sums;
    [mentioned, ranks, listed, cited, linked]
}

fn brand_from_disk([mentioned, ranks, listed, cited, linked]: [u64; 5]) -> BrandSums {
    BrandSums { mentioned, ranks, listed, cited, linked }
}
