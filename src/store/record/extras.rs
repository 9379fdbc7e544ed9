//! What a request may ask beyond the contract, behind the record of its job. Jobs that ask for
//! none of it have none, and their records stay as those of 0.1.0.

use bincode::{Decode, Encode};

use crate::job::{Device, Job, Kind, Location, ScrapeRequest};
use crate::store::StoreError;

#[derive(Encode, Decode)]
pub(super) struct ExtrasV2<S> {
    region: Option<S>,
    city: Option<S>,
    language: Option<S>,
    timezone: Option<S>,
    device: Option<S>,
    strict_place: bool,
    model: Option<S>,
    kind: Option<S>,
    require_search: bool,
    keep_unsearched: bool,
    keep_raw: bool,
    track: Option<S>,
}

/// Returns whether a job asks for no extras.
pub(super) fn are_plain(job: &Job) -> bool {
    let ScrapeRequest { location, model, kind, require_search, keep_unsearched, .. } = &job.request;
    let is_plain = location.is_empty() && model.is_none() && kind.is_none();
    is_plain && !require_search && !keep_unsearched && !job.keep_raw && job.track.is_none()
}

impl<'a> ExtrasV2<&'a str> {
    /// Returns the extras of a job.
    pub(super) fn of(job: &'a Job) -> ExtrasV2<&'a str> {
        let ScrapeRequest { location, model, kind, require_search, keep_unsearched, .. } =
            &job.request;
        let [region, city, language, timezone, device] = location.parts();
        ExtrasV2 {
            region,
            city,
            language,
            timezone,
            device,
            strict_place: location.strict,
            model: model.as_deref(),
            kind: kind.map(Kind::word),
            require_search: *require_search,
            keep_unsearched: *keep_unsearched,
            keep_raw: job.keep_raw,
            track: job.track.as_deref(),
        }
    }
}

impl ExtrasV2<String> {
    /// Gives a job, which asks for none, its extras.
    ///
    /// # Errors
    /// Returns an error if a word is none that answerd knows.
    pub(super) fn give(self, job: &mut Job) -> Result<(), StoreError> {
        let device = self.device.map(|word| Device::named(&word).ok_or(UNKNOWN)).transpose()?;
        let kind = self.kind.map(|word| Kind::asked(&word).ok_or(UNKNOWN)).transpose()?;
        let request = &mut job.request;
        request.location = Location {
            region: self.region,
            city: self.city,
            language: self.language,
            timezone: self.timezone,
            device,
            strict: self.strict_place,
        };
        request.model = self.model;
        request.kind = kind;
        request.require_search = self.require_search;
        request.keep_unsearched = self.keep_unsearched;
        job.keep_raw = self.keep_raw;
        job.track = self.track;
        Ok(())
    }
}

const UNKNOWN: StoreError = StoreError::Damaged("a job asks for what answerd does not know");
