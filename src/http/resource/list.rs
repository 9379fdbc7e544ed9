//! `GET /jobs`: the jobs of the key that asks, newest first, in pages or as an export that is
//! streamed. Contract part 2.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpResponse, web};
use uuid::Uuid;

use crate::api::{ErrorCode, JobView, JobsView};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::moment::moment;
use crate::http::request::params::Pairs;
use crate::http::resource::export::{self, Formulas};
use crate::job::LABEL_CHARS_MAX;
use crate::service::{Caller, Service, ServiceError};
use crate::store::{Cursor, ListFilter, ListPage};

/// Bounds and default of `limit`, jobs in a page.
pub(crate) const LIMIT_MAX: usize = 200;
pub(crate) const LIMIT_DEFAULT: usize = 50;

/// The longest `search`, characters: that of a label.
pub(crate) const SEARCH_CHARS_MAX: usize = LABEL_CHARS_MAX;

/// A checked query.
pub(crate) struct Query {
    pub filter: ListFilter,
    pub after: Option<Cursor>,
    pub limit: usize,
    formulas: Formulas,
}

/// Returns a page, or all pages in a row where `Accept` names a format of lines.
pub(crate) async fn list(mut call: ApiCall, caller: Caller) -> ApiResult {
    let pairs = call.take_query()?;
    let service = call.service();
    let query = query(service, caller, pairs)?;
    if let Some(format) = wanted_format(call.headers()) {
        let body = Export::new(service.clone(), query, format);
        let content_type = (CONTENT_TYPE, format.content_type());
        return Ok(HttpResponse::Ok().insert_header(content_type).body(body));
    }
    let (page, _) = read_page(service.clone(), query.filter, query.after, query.limit).await?;
    Ok(HttpResponse::Ok().json(view(service, &page)))
}

/// Returns a page as `GET /jobs` does.
pub(crate) fn view<'a>(service: &Service, page: &'a ListPage) -> JobsView<JobView<'a>> {
    let job = |job| JobView::new(job, service.id_of(job), None, None);
    JobsView {
        jobs: page.jobs.iter().map(job).collect(),
        next_cursor: page.next.map(|next| service.cursor_text(next)),
    }
}

/// Returns the first format of lines that `Accept` names.
pub(crate) fn wanted_format(headers: &HeaderMap) -> Option<export::Format> {
    let accept = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accept
        .flat_map(|value| value.split(','))
        .filter_map(|media_type| media_type.split(';').next())
        .find_map(|media_type| export::Format::of(media_type.trim()))
}

/// Reads the query of a list.
///
/// # Errors
/// Returns an error if a filter or a bound breaks its rule.
pub(crate) fn query(service: &Service, caller: Caller, pairs: Pairs) -> Result<Query, ApiError> {
    let filter = ListFilter { account: caller.account, ..ListFilter::default() };
    let mut asked = Query { filter, after: None, limit: LIMIT_DEFAULT, formulas: Formulas::Escape };
    for (name, value) in pairs {
        match name.as_str() {
            "status" => asked.filter.status = Some(status(&value)?),
            "scraper" => asked.filter.scraper = Some(value),
            "label" => asked.filter.label = Some(value),
            "search" => asked.filter.search = Some(search(&value)?),
            "tracker" => asked.filter.tracker = Some(value),
            "prompt_of" => asked.filter.prompt = Some(prompt_of(service, &value)?),
            "batch" => {
                let id = Uuid::try_parse(&value);
                let rule = "the id of a batch";
                asked.filter.batch = Some(id.map_err(|_| {
                    ApiError::invalid(ErrorCode::BatchIdInvalid, "batch", rule, &value)
                })?);
            }
            "since" => {
                let since = moment(ErrorCode::SinceInvalid, "since", &value)?;
                asked.filter.since_ms = Some(since.first_ms);
            }
            "until" => {
                let until = moment(ErrorCode::UntilInvalid, "until", &value)?;
                asked.filter.until_ms = Some(until.last_ms);
            }
            "limit" => asked.limit = limit(&value)?,
            "formulas" => {
                let (code, rule) = (ErrorCode::FormulasInvalid, "`escape` or `keep`");
                asked.formulas = Formulas::of(&value)
                    .ok_or_else(|| ApiError::invalid(code, "formulas", rule, &value))?;
            }
            "cursor" => {
                let cursor = service.cursor(&value);
                let rule = "the `next_cursor` of an earlier page";
                asked.after = Some(cursor.ok_or_else(|| {
                    ApiError::invalid(ErrorCode::CursorInvalid, "cursor", rule, &value)
                })?);
            }
            _ => {}
        }
    }
    Ok(asked)
}

fn status(value: &str) -> Result<&'static str, ApiError> {
    let word = ["pending", "done", "failed"].into_iter().find(|word| *word == value);
    word.ok_or_else(|| {
        ApiError::invalid(
            ErrorCode::StatusInvalid,
            "status",
            "`pending`, `done` or `failed`",
            value,
        )
    })
}

/// Returns the prompt of a job. Its id is the secret: a client that has it may read the job.
fn prompt_of(service: &Service, value: &str) -> Result<String, ApiError> {
    if Uuid::try_parse(value).is_err() {
        let rule = "the id of a job";
        return Err(ApiError::invalid(ErrorCode::PromptOfInvalid, "prompt_of", rule, value));
    }
    let prompt = service.job(value, |job, _, _| job.request.prompt.clone());
    prompt.map_err(|error| ApiError::from_service(error, service.retention_hours()))
}

fn search(value: &str) -> Result<String, ApiError> {
    if (1..=SEARCH_CHARS_MAX).contains(&value.chars().count()) {
        return Ok(value.to_lowercase());
    }
    let rule = format!("1 to {SEARCH_CHARS_MAX} characters");
    Err(ApiError::invalid(ErrorCode::SearchInvalid, "search", &rule, value))
}

fn limit(value: &str) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid(ErrorCode::LimitInvalid, "limit", &format!("1 to {LIMIT_MAX}"), value)
    })
}

/// Reads a moment of the query.
pub(crate) type PageRead = Result<(ListPage, ListFilter), ServiceError>;

/// Reads a page off the actix threads: one may look at many rows.
pub(crate) async fn read_page(
    service: Arc<Service>,
    filter: ListFilter,
    after: Option<Cursor>,
    limit: usize,
) -> PageRead {
    let read = web::block(move || Ok((service.list(&filter, after, limit)?, filter))).await;
    // The pool refuses only while the process ends.
    read.unwrap_or(Err(ServiceError::Stopping))
}

/// All pages in a row. Nothing of the store is held while the client takes its time.
struct Export {
    service: Arc<Service>,
    format: export::Format,
    formulas: Formulas,
    ready: VecDeque<web::Bytes>,
    reading: Option<Pin<Box<dyn Future<Output = PageRead>>>>,
}

impl Export {
    fn new(service: Arc<Service>, query: Query, format: export::Format) -> Export {
        let reading = read_page(service.clone(), query.filter, query.after, LIMIT_MAX);
        let header = format.header().map(web::Bytes::from_static);
        Export {
            service,
            format,
            formulas: query.formulas,
            ready: header.into_iter().collect(),
            reading: Some(Box::pin(reading)),
        }
    }

    fn take(&mut self, page: &ListPage) {
        let mut lines = Vec::new();
        for job in &page.jobs {
            self.format.line(&mut lines, job, self.service.id_of(job), self.formulas);
        }
        if !lines.is_empty() {
            self.ready.push_back(lines.into());
        }
    }
}

impl MessageBody for Export {
    type Error = ApiError;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, ApiError>>> {
        loop {
            if let Some(lines) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(lines)));
            }
            let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
            let read = ready!(reading.as_mut().poll(context));
            self.reading = None;
            match read {
                Ok((page, filter)) => {
                    self.take(&page);
                    if let Some(next) = page.next {
                        let reading =
                            read_page(self.service.clone(), filter, Some(next), LIMIT_MAX);
                        self.reading = Some(Box::pin(reading));
                    }
                }
                // The connection is cut, so that a part is not taken for the whole.
                Err(error) => {
                    let hours = self.service.retention_hours();
                    return Poll::Ready(Some(Err(ApiError::from_service(error, hours))));
                }
            }
        }
    }
}
